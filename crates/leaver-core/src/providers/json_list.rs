//! Splits a JSON object into the items of one of its lists, as its text arrives.
//!
//! Only the item at hand is stored, so the memory does not depend on the length of the list. The text of an item is not
//! checked: an item that is no JSON does not spoil its neighbours.

use super::json_keep::MAX_TEXT_BYTES;
use super::{InvalidResponse, json};

/// Longest item or member that is kept, in bytes.
const MAX_PART_BYTES: usize = 64 * 1024;

/// A part of the object.
#[derive(Debug, PartialEq, Eq)]
pub enum ListPart {
    /// The text of an item of the list.
    Item(Vec<u8>),
    /// An item that is too long to be kept.
    LongItem,
    /// Name and text of another member of the object.
    Member(String, Vec<u8>),
}

/// The splitter. It gets the text in pieces of any length.
#[derive(Debug)]
pub struct JsonList {
    name: &'static str,
    state: State,
    value: Value,
    /// The text of the name or the value at hand.
    text: Vec<u8>,
    /// The name of the member at hand.
    member: String,
    has_list: bool,
    /// True if the value at hand is too long to be kept.
    is_long: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the object. The value is the number of bytes of a byte order mark.
    Start(u8),
    /// In an object or a list, where the next thing is expected.
    In(Place, Expected),
    /// In a name.
    Name(Place),
    /// After a name.
    Colon(Place),
    /// In a value.
    Value(Place),
    /// After the object.
    Done,
}

/// The container at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The object.
    Top,
    /// The list.
    List,
    /// The list, written as an object: PHP does so with a list that has gaps.
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    First,
    Comma,
    Next,
}

/// The place within a value.
#[derive(Clone, Copy, Debug, Default)]
struct Value {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    is_scalar: bool,
}

const BYTE_ORDER_MARK: [u8; 3] = *b"\xEF\xBB\xBF";

impl JsonList {
    /// Starts with an object whose member of this name is the list.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            state: State::Start(0),
            value: Value::default(),
            text: vec![],
            member: String::new(),
            has_list: false,
            is_long: false,
        }
    }

    /// Returns the parts that end in this piece of the text.
    ///
    /// # Errors
    /// Returns [`InvalidResponse`] if the text is no object, or if it has two such lists.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<ListPart>, InvalidResponse> {
        let mut parts = vec![];
        for &byte in piece {
            // A scalar has no last byte of its own, so the byte after it is taken twice.
            while !self.take(byte, &mut parts)? {}
        }
        Ok(parts)
    }

    /// Checks that the object has ended.
    ///
    /// # Errors
    /// Returns [`InvalidResponse`] if the text was cut, or if it has no such list.
    pub fn finish(&self) -> Result<(), InvalidResponse> {
        match self.state {
            State::Done if self.has_list => Ok(()),
            State::Done => Err(InvalidResponse::WrongShape("it has no list of employees")),
            _ => Err(InvalidResponse::Truncated),
        }
    }

    /// Takes one byte. Returns false if it has to be taken again.
    fn take(&mut self, byte: u8, parts: &mut Vec<ListPart>) -> Result<bool, InvalidResponse> {
        if let State::Value(place) = self.state {
            return self.take_in_value(byte, place, parts);
        }
        if let State::Name(place) = self.state {
            self.take_in_name(byte, place)?;
            return Ok(true);
        }
        if byte.is_ascii_whitespace() {
            return Ok(true);
        }
        self.state = match self.state {
            State::Start(0) if byte == b'{' => State::In(Place::Top, Expected::First),
            State::Start(mark) if BYTE_ORDER_MARK.get(usize::from(mark)) == Some(&byte) => {
                State::Start((mark + 1) % 3)
            }
            State::In(place, expected) => self.next_in(place, expected, byte)?,
            State::Colon(place) if byte == b':' => self.begin_value(place),
            _ => return Err(InvalidResponse::NotJson),
        };
        Ok(true)
    }

    fn next_in(
        &mut self,
        place: Place,
        expected: Expected,
        byte: u8,
    ) -> Result<State, InvalidResponse> {
        let end = if place == Place::List { b']' } else { b'}' };
        match expected {
            Expected::First | Expected::Comma if byte == end => Ok(match place {
                Place::Top => State::Done,
                Place::List | Place::Map => State::In(Place::Top, Expected::Comma),
            }),
            Expected::Comma if byte == b',' => Ok(State::In(place, Expected::Next)),
            Expected::First | Expected::Next if place == Place::List => {
                self.begin_value(place);
                self.text.push(byte);
                self.value.begin(byte)?;
                Ok(State::Value(place))
            }
            Expected::First | Expected::Next if byte == b'"' => {
                self.text = vec![b'"'];
                self.value = Value::default();
                Ok(State::Name(place))
            }
            _ => Err(InvalidResponse::NotJson),
        }
    }

    fn take_in_name(&mut self, byte: u8, place: Place) -> Result<(), InvalidResponse> {
        if self.text.len() > MAX_TEXT_BYTES {
            return Err(InvalidResponse::WrongShape("a name is too long"));
        }
        self.text.push(byte);
        if self.value.is_escaped {
            self.value.is_escaped = false;
        } else if byte == b'\\' {
            self.value.is_escaped = true;
        } else if byte == b'"' {
            if place == Place::Top {
                self.member = json::parse(&self.text).map_err(|_| InvalidResponse::NotJson)?;
            }
            self.state = State::Colon(place);
        }
        Ok(())
    }

    fn begin_value(&mut self, place: Place) -> State {
        self.text = vec![];
        self.is_long = false;
        self.value = Value::default();
        State::Value(place)
    }

    fn take_in_value(
        &mut self,
        byte: u8,
        place: Place,
        parts: &mut Vec<ListPart>,
    ) -> Result<bool, InvalidResponse> {
        if self.text.is_empty() && !self.is_long {
            if byte.is_ascii_whitespace() {
                return Ok(true);
            }
            if place == Place::Top && self.member == self.name && matches!(byte, b'[' | b'{') {
                if self.has_list {
                    return Err(InvalidResponse::WrongShape("it has two lists of employees"));
                }
                self.has_list = true;
                let list = if byte == b'[' {
                    Place::List
                } else {
                    Place::Map
                };
                self.state = State::In(list, Expected::First);
                return Ok(true);
            }
            self.text.push(byte);
            self.value.begin(byte)?;
            return Ok(true);
        }
        let (is_taken, has_ended) = self.value.next(byte);
        if is_taken {
            if self.text.len() >= MAX_PART_BYTES {
                self.is_long = true;
                self.text = vec![];
            } else if !self.is_long {
                self.text.push(byte);
            }
        }
        if has_ended {
            let text = std::mem::take(&mut self.text);
            match place {
                Place::List | Place::Map if self.is_long => parts.push(ListPart::LongItem),
                Place::List | Place::Map => parts.push(ListPart::Item(text)),
                // A long member is none that is needed.
                Place::Top if self.is_long => {}
                Place::Top => parts.push(ListPart::Member(std::mem::take(&mut self.member), text)),
            }
            self.state = State::In(place, Expected::Comma);
        }
        Ok(is_taken)
    }
}

impl Value {
    fn begin(&mut self, byte: u8) -> Result<(), InvalidResponse> {
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth = 1,
            b'}' | b']' | b',' | b':' => return Err(InvalidResponse::NotJson),
            _ => self.is_scalar = true,
        }
        Ok(())
    }

    /// Returns whether the byte belongs to the value, and whether the value has ended.
    fn next(&mut self, byte: u8) -> (bool, bool) {
        if self.in_string {
            if self.is_escaped {
                self.is_escaped = false;
            } else if byte == b'\\' {
                self.is_escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
                return (true, self.depth == 0);
            }
            return (true, false);
        }
        if self.is_scalar {
            let is_end = byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']');
            return (!is_end, is_end);
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                return (true, self.depth == 0);
            }
            _ => {}
        }
        (true, false)
    }
}

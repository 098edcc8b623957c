//! Pages read as a reader of Markdown does.

use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page, by its path in the checkout.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) path: PathBuf,
    pub(super) links: Vec<String>,
    /// The names by which links reach its headings.
    pub(super) anchors: Vec<String>,
    pub(super) blocks: Vec<Block>,
}

/// A fenced block of code.
#[derive(Debug)]
pub(super) struct Block {
    /// The words after the fence, such as `sh`.
    pub(super) info: String,
    pub(super) text: String,
    /// The line of its first line of code.
    pub(super) line: usize,
}

/// Returns a path in the checkout.
pub(super) fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Reads one page of the checkout.
pub(super) fn page(path: &str) -> Page {
    let text = fs::read_to_string(checkout(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut page = Page {
        path: path.into(),
        links: vec![],
        anchors: vec![],
        blocks: vec![],
    };
    let mut heading: Option<String> = None;
    let mut block: Option<Block> = None;
    for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.to_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let name = anchor(&heading.take().unwrap_or_default());
                let earlier = page.anchors.iter().filter(|known| **known == name).count();
                assert_eq!(earlier, 0, "{path} has two headings {name:?}");
                page.anchors.push(name);
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                block = Some(Block {
                    info: info.to_string(),
                    text: String::new(),
                    line: text[..range.start].lines().count() + 1,
                });
            }
            Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                } else if let Some(block) = &mut block {
                    block.text.push_str(&part);
                }
            }
            _ => {}
        }
    }
    page
}

/// Reads every page of a folder and of its subfolders.
pub(super) fn pages_in(folder: &str) -> Vec<Page> {
    let mut found = vec![];
    for entry in fs::read_dir(checkout(folder)).unwrap() {
        let path = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
        if checkout(&path).is_dir() {
            found.extend(pages_in(&path));
        } else if Path::new(&path).extension().is_some_and(|end| end == "md") {
            found.push(page(&path));
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Reads the pages of the checkout that people read.
pub(super) fn all() -> Vec<Page> {
    let top = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ];
    let mut found: Vec<Page> = top.into_iter().map(page).collect();
    found.extend(pages_in("docs"));
    found
}

/// Returns the name of a heading in links: its letters, digits, `-` and `_` in lower case, with `-` for each space.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    kept.collect::<String>().to_lowercase()
}

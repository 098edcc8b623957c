//! From nothing to the first deactivated user: `init`, `config`, completions, man pages.

use std::fmt;

/// What can be wrong with a coded stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoderError {
    /// The stream ended before the symbols asked for were decoded.
    Truncated,
    /// The stream is no output of this coder.
    Corrupt,
}

impl fmt::Display for CoderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "coded data ends too early",
            Self::Corrupt => "coded data is damaged",
        })
    }
}

impl std::error::Error for CoderError {}

//! `pc`: tables and stacks of small images, with probabilistic circuits.
//!
//! [`table`](crate::table) makes records of rows; [`layout`] says in which order their fields are coded
//! and from what each is predicted; [`rows`] codes them with a circuit that learns on both sides, in the
//! mixer of `cm`; [`codec`] puts it together. A circuit can be trained beforehand ([`train`](mod@train)), kept as a
//! [`pack`], code rows alone ([`given`]), and be asked how probable they are ([`query`]).

mod asked;
mod codec;
mod engine;
mod given;
mod joined;
mod kinds;
mod layout;
mod pack;
mod query;
mod ranks;
mod rows;
mod stack;
mod tables;
#[cfg(test)]
mod tests;
mod texts;
mod train;

pub(crate) use codec::PREDICTOR;
pub(crate) use given::PREDICTOR as WITH_CIRCUIT;
pub use joined::{joined, most_joined};
pub use pack::{CircuitPack, Kind, MAGIC};
pub use tables::{Part, Spent, costs};
pub use train::{Training, train};

/// The number of line feeds in a segment that settings of predictor `id` tell, if it is one of these and
/// they do.
#[must_use]
pub fn lines(id: &str, settings: &[u8]) -> Option<u64> {
    match id {
        "pc" => {
            codec::Hints::read(settings.get(crate::cm::codec::settings_len(settings)..)?)?.lines
        }
        "circuit" => given::lines_of(settings),
        _ => None,
    }
}

/// Whether the first bytes of a segment look like what `pc` is for: a table of text, or of an array's numbers
/// behind its header.
#[must_use]
pub fn has_columns(sample: &[u8]) -> bool {
    tables::find(sample, None).is_some()
}

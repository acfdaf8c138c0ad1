//! Probabilistic circuits: hidden Chow-Liu trees over columns of small integers.
//!
//! A tree of variables, of which each has a latent with `M` states: the root's state, each step from
//! the parent's state to the child's, and each value given the state have a probability. Sums over
//! latents make any conditional probability exact in time linear in the tree.

pub mod any;
pub mod exact;
pub mod expect;
pub mod learn;
pub mod parameters;
pub mod quantised;
pub mod structure;
pub mod tree;
pub mod walk;
pub mod weights;

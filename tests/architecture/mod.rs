//! The layer table of ARCHITECTURE.md as a test, and proof that the test would notice each forbidden pair.

mod layers;
mod tidy;

//! Being built.
use super::super::canvas::Canvas;
use crate::app::{App, layout::Layout};
use crate::app::rows::Rows;
pub(in super::super) fn draw(_canvas: &mut Canvas<'_>, _app: &App, _rows: &Rows<'_>, _layout: &Layout) {}

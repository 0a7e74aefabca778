//! Being built.
use super::super::canvas::Canvas;
use crate::app::rows::Rows;
use crate::app::{App, layout::Layout};
pub(in super::super) fn draw(_canvas: &mut Canvas<'_>, _app: &App, _rows: &Rows<'_>, _layout: &Layout) {}

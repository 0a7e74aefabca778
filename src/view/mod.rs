//! Drawing: [`draw`] turns an [`App`] into cells. It takes `&App` and reads nothing else; two draws of the same
//! application give the same cells.

mod canvas;
mod chart;
mod chrome;
mod glyphs;
mod logs;
mod node_cells;
mod overlays;
pub mod picture;
mod playbook;
mod screens;
mod sections;
mod sheet;
mod table;
mod theme;
mod traffic_cells;

pub use theme::Theme;

use crate::app::{App, Overlay, command::Here, layout::Layout, rows::Rows, screen::ScreenId};
use canvas::Canvas;
use ratatui::Frame;

/// Draws the console with the theme it asks for.
pub fn draw(frame: &mut Frame<'_>, app: &App) {
    draw_with(frame, app, Theme::named(app.options.theme));
}

/// Draws the console with a theme of the caller's.
pub fn draw_with(frame: &mut Frame<'_>, app: &App, theme: &Theme) {
    let glyphs = if app.options.unicode { &glyphs::UNICODE } else { &glyphs::ASCII };
    let mut canvas = Canvas { buffer: frame.buffer_mut(), theme, glyphs };
    let rows = Rows::of(app);
    let layout = Layout::of(app, &rows);
    let canvas = &mut canvas;
    if layout.is_tiny {
        chrome::tiny(canvas, app, layout.body);
        if let Overlay::Prompt(prompt) = &app.overlay {
            overlays::prompt(canvas, app, prompt, layout.body);
        }
        return;
    }
    chrome::title(canvas, app, layout.title);
    chrome::tabs(canvas, app, layout.tabs);
    match app.screen() {
        ScreenId::Overview => screens::overview::draw(canvas, app, &rows, &layout),
        ScreenId::Traffic => screens::traffic::draw(canvas, app, &rows, &layout),
        ScreenId::Nodes => screens::nodes::draw(canvas, app, &rows, &layout),
        ScreenId::Network => screens::network::draw(canvas, app, &rows, &layout),
        ScreenId::Database => screens::database::draw(canvas, app, &rows, &layout),
        ScreenId::Machines => screens::machines::draw(canvas, app, &rows, &layout),
        ScreenId::Tune => screens::tune::draw(canvas, app, &rows, &layout),
        ScreenId::WhatIf => screens::what_if::draw(canvas, app, &rows, &layout),
        ScreenId::Node => screens::node::draw(canvas, app, &layout),
        ScreenId::Findings => screens::findings::draw(canvas, app, &rows, &layout),
        ScreenId::Changes => screens::changes::draw(canvas, app, &rows, &layout),
    }
    chrome::keys(canvas, &Here::with(app, &rows), layout.keys);
    overlays::draw(canvas, app, &layout);
}

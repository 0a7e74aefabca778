//! A screen without a terminal: the real `draw` into a buffer, then as text or as an SVG picture.

use crate::app::App;
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    style::{Color, Modifier, Style},
};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// A drawn screen.
pub type Screen = Buffer;

/// Width of a cell in the picture.
const CELL_WIDTH: f32 = 8.4;
/// Height of a cell in the picture.
const CELL_HEIGHT: f32 = 18.0;

/// The screen `app` shows, at its own size.
pub fn draw(app: &App) -> Buffer {
    match Terminal::new(TestBackend::new(app.size.width, app.size.height)) {
        Ok(mut terminal) => match terminal.draw(|frame| super::draw(frame, app)) {
            Ok(frame) => frame.buffer.clone(),
            Err(never) => match never {},
        },
        Err(never) => match never {},
    }
}

/// The characters, a line break after each row, no spaces at the ends of lines.
pub fn text(screen: &Buffer) -> String {
    let mut text = String::new();
    for row in rows(screen) {
        let mut line = String::new();
        for (_, symbol, _) in row {
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// An SVG picture: a rectangle per run of background, a text element per run of style.
pub fn svg(screen: &Buffer) -> String {
    let (width, height) = (f32::from(screen.area.width) * CELL_WIDTH, f32::from(screen.area.height) * CELL_HEIGHT);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\">"
    );
    let _ = writeln!(out, "<rect width=\"100%\" height=\"100%\" fill=\"{BACKGROUND}\"/>");
    for (y, row) in rows(screen).into_iter().enumerate() {
        for run in runs(&row) {
            push_run(&mut out, &run, y);
        }
    }
    out.push_str("</svg>\n");
    out
}

const BACKGROUND: &str = "#14171c";
const FOREGROUND: &str = "#d3d7de";

/// Cells of one style side by side.
struct Run {
    column: usize,
    width: usize,
    text: String,
    style: Style,
}

fn rows(screen: &Buffer) -> Vec<Vec<(usize, &str, Style)>> {
    let width = usize::from(screen.area.width);
    if width == 0 {
        return Vec::new();
    }
    screen
        .content
        .chunks(width)
        .map(|cells| {
            let mut row = Vec::with_capacity(width);
            let mut column = 0;
            while column < cells.len() {
                let symbol = cells[column].symbol();
                row.push((column, symbol, cells[column].style()));
                // A wide character covers the next cell too.
                column += symbol.width().max(1);
            }
            row
        })
        .collect()
}

fn runs(row: &[(usize, &str, Style)]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (column, symbol, style) in row {
        let width = symbol.width().max(1);
        match runs.last_mut() {
            Some(run) if run.style == *style => {
                run.width += width;
                run.text.push_str(symbol);
            }
            _ => runs.push(Run { column: *column, width, text: (*symbol).to_owned(), style: *style }),
        }
    }
    runs
}

fn push_run(out: &mut String, run: &Run, row: usize) {
    let reversed = run.style.add_modifier.contains(Modifier::REVERSED);
    let mut foreground = colour(run.style.fg, FOREGROUND);
    let mut background = colour(run.style.bg, BACKGROUND);
    if reversed {
        std::mem::swap(&mut foreground, &mut background);
    }
    let (x, y) = (run.column as f32 * CELL_WIDTH, row as f32 * CELL_HEIGHT);
    let width = run.width as f32 * CELL_WIDTH;
    if background != BACKGROUND {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT:.1}\" fill=\"{background}\"/>"
        );
    }
    if run.text.trim().is_empty() {
        return;
    }
    let weight = if run.style.add_modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let opacity = if run.style.add_modifier.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
         fill=\"{foreground}\"{weight}{opacity} xml:space=\"preserve\">{}</text>",
        y + CELL_HEIGHT * 0.75,
        escaped(&run.text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A terminal colour as a web colour; the sixteen named ones as a common dark palette has them.
fn colour(colour: Option<Color>, default: &str) -> String {
    let named = |hex: &str| hex.to_owned();
    match colour {
        None | Some(Color::Reset) => named(default),
        Some(Color::Rgb(r, g, b)) => format!("#{r:02x}{g:02x}{b:02x}"),
        Some(Color::Indexed(index)) => indexed(index),
        Some(Color::Black) => named("#1c1f26"),
        Some(Color::Red) => named("#e06c75"),
        Some(Color::Green) => named("#98c379"),
        Some(Color::Yellow) => named("#e5c07b"),
        Some(Color::Blue) => named("#61afef"),
        Some(Color::Magenta) => named("#c678dd"),
        Some(Color::Cyan) => named("#56b6c2"),
        Some(Color::Gray) => named("#abb2bf"),
        Some(Color::DarkGray) => named("#6b7280"),
        Some(Color::LightRed) => named("#ff7b86"),
        Some(Color::LightGreen) => named("#b5e08f"),
        Some(Color::LightYellow) => named("#ffd68a"),
        Some(Color::LightBlue) => named("#84c5ff"),
        Some(Color::LightMagenta) => named("#e09bf5"),
        Some(Color::LightCyan) => named("#7fdbe6"),
        Some(Color::White) => named("#ffffff"),
    }
}

/// The 256-colour palette: sixteen named ones, a cube of 6 x 6 x 6, and 24 greys.
fn indexed(index: u8) -> String {
    const NAMED: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    match index {
        0..=15 => colour(Some(NAMED[usize::from(index)]), FOREGROUND),
        16..=231 => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let cube = index - 16;
            format!("#{:02x}{:02x}{:02x}", level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        232..=255 => {
            let grey = 8 + 10 * (index - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

//! What lies over a screen: help, palette, questions; and the details pane.

use super::{
    canvas::{Canvas, line_width, width},
    chart, logs, playbook, sheet,
};
use crate::{
    app::{
        App, Overlay,
        details::Detail,
        help,
        layout::{Area, Layout},
        matrix,
        meaning::{Line, Meaning, Span},
        palette::Palette,
        prompt::{Prompt, TRUST_WORD},
    },
    model::link::Ask,
};

/// Draws what lies over the screen.
pub(super) fn draw(canvas: &mut Canvas<'_>, app: &App, layout: &Layout) {
    let body = layout.body;
    match &app.overlay {
        Overlay::None | Overlay::Filter | Overlay::Moment(_) => {}
        Overlay::Help(line) => {
            let lines = help::lines(app);
            let wanted = lines.iter().map(|line| line_width(line)).max().unwrap_or(0).clamp(40, 110);
            let inside = dialog(canvas, body, wanted, body.height, "Help");
            let lines: Vec<Line> = lines.iter().flat_map(|line| wrap_hanging(line, inside.width, 17)).collect();
            scrolled(canvas, &lines, inside, *line);
        }
        Overlay::Matrix(line) => {
            let lines = matrix::lines(app, body.width.saturating_sub(4));
            let wanted = lines.iter().map(|line| line_width(line)).max().unwrap_or(0).clamp(40, 190);
            let inside = dialog(canvas, body, wanted, body.height, "Round trips on the private network");
            let lines: Vec<Line> = lines.iter().flat_map(|line| wrap_hanging(line, inside.width, 2)).collect();
            scrolled(canvas, &lines, inside, *line);
        }
        Overlay::Palette(palette) => draw_palette(canvas, palette, body),
        Overlay::Prompt(open) => prompt(canvas, app, open, body),
        Overlay::Plan(open) => sheet::plan(canvas, app, open, body),
        Overlay::Decision(open) => sheet::decision(canvas, open, body),
        Overlay::Run => sheet::run(canvas, app, body),
        Overlay::Logs(open) => logs::draw(canvas, app, open, body),
        Overlay::Chart(open) => chart::draw(canvas, app, open, body),
        Overlay::Playbook(open) => playbook::draw(canvas, app, open, body),
    }
}

/// An empty box in the middle of `body`; returns its inside.
pub(super) fn dialog(canvas: &mut Canvas<'_>, body: Area, width: u16, height: u16, title: &str) -> Area {
    let width = width.saturating_add(4).min(body.width);
    let height = height.min(body.height);
    let area = Area { x: body.x + (body.width - width) / 2, y: body.y + (body.height - height) / 2, width, height };
    let ground = canvas.theme.dialog;
    canvas.clear(area, ground);
    canvas.rule(Area { height: height.min(1), ..area }, &[Span::new(title, Meaning::Accent)], &[]);
    let last = area.y + height.saturating_sub(1);
    canvas.rule(Area { y: last, height: height.min(1), ..area }, &[], &[]);
    let line = canvas.style(Meaning::Line);
    let right = area.x + width.saturating_sub(1);
    let [top_left, top_right, bottom_left, bottom_right] = canvas.glyphs.corners;
    for (x, y, corner) in [
        (area.x, last, bottom_left),
        (right, last, bottom_right),
        (area.x, area.y, top_left),
        (right, area.y, top_right),
    ] {
        canvas.text(x, y, 1, corner, line);
    }
    for y in area.y + 1..area.y + height.saturating_sub(1).max(1) {
        canvas.text(area.x, y, 1, canvas.glyphs.bar, line);
        canvas.text(area.x + width.saturating_sub(1), y, 1, canvas.glyphs.bar, line);
    }
    canvas.lay(area, ground);
    Area { x: area.x + 2, y: area.y + 1, width: width.saturating_sub(4), height: height.saturating_sub(2) }
}

/// Lines in a window, with a word about what lies below. Returns nothing: the offset is clamped, not stored.
pub(super) fn scrolled(canvas: &mut Canvas<'_>, lines: &[Line], area: Area, offset: usize) {
    let height = usize::from(area.height);
    let first = offset.min(lines.len().saturating_sub(height));
    for (index, line) in lines.iter().skip(first).take(height).enumerate() {
        canvas.line(area.x, area.y + index as u16, area.width, line);
    }
    let below = lines.len().saturating_sub(first + height);
    if below > 0 && height > 0 {
        let words = [Span::dim(format!(" {below} more below "))];
        canvas.line_right(area.x, area.y + area.height - 1, area.width, &words);
    }
}

fn draw_palette(canvas: &mut Canvas<'_>, palette: &Palette, body: Area) {
    let rows = u16::try_from(palette.count().max(1)).unwrap_or(u16::MAX).min(18);
    let heading = match &palette.sessions_of {
        Some(node) => format!("End a session of {node}: which one?"),
        None => "Find a command, node or server".to_owned(),
    };
    let inside = dialog(canvas, body, 70, rows.saturating_add(4), &heading);
    let query = [
        Span::new(": ", Meaning::Key),
        Span::new(palette.query.clone(), Meaning::Accent),
        Span::new(canvas.glyphs.caret, Meaning::Accent),
    ];
    canvas.line(inside.x, inside.y, inside.width, &query);
    let list = Area { y: inside.y + 2, height: inside.height.saturating_sub(2), ..inside };
    let height = usize::from(list.height);
    // Where not all fit, one line is kept for the count of what lies below.
    let kept = usize::from(palette.count() > height);
    let first = crate::app::list::first_visible(0, palette.marked + kept, palette.count() + kept, height);
    if palette.count() == 0 && height > 0 {
        canvas.line(list.x, list.y, list.width, &[Span::dim("Nothing has a name like that.")]);
    }
    for (index, entry) in palette.lines().enumerate().skip(first).take(height) {
        let line = Area { y: list.y + (index - first) as u16, height: 1, ..list };
        let meaning = if entry.refused.is_some() { Meaning::Dim } else { Meaning::Text };
        let aside = match &entry.refused {
            Some(reason) => Span::dim(reason.clone()),
            None => Span::new(entry.aside.clone(), Meaning::Key),
        };
        let used =
            canvas.line(line.x + 2, line.y, line.width.saturating_sub(2), &[Span::new(entry.title.clone(), meaning)]);
        let room = line.width.saturating_sub(used + 4);
        if line_width(std::slice::from_ref(&aside)) <= room {
            canvas.line_right(line.x + used + 4, line.y, room, &[aside]);
        } else {
            canvas.line(line.x + used + 4, line.y, room, &[aside]);
        }
        if index + 1 == first + height && palette.count() > first + height {
            let words = [Span::dim(format!("  {} more below", palette.count() - index))];
            canvas.clear(line, canvas.theme.dialog);
            canvas.line(line.x, line.y, line.width, &words);
        } else if index == palette.marked {
            canvas.lay(line, canvas.theme.selection);
            let style = canvas.style(Meaning::Accent).patch(canvas.theme.selection);
            canvas.text(line.x, line.y, 1, canvas.glyphs.cursor, style);
        }
    }
}

/// A question of a connection, calmly: who asks, for what, and what each answer does.
pub(super) fn prompt(canvas: &mut Canvas<'_>, app: &App, prompt: &Prompt, body: Area) {
    let node = &prompt.node;
    let (title, mut lines, label) = match &prompt.question.ask {
        Ask::Passphrase { file } => (
            format!("{node} needs a passphrase"),
            vec![
                vec![
                    Span::plain("The private key "),
                    Span::new(file.as_str(), Meaning::Accent),
                    Span::plain(" is encrypted."),
                ],
                vec![Span::dim("It is used for this run only; it is neither stored nor shown.")],
            ],
            "Passphrase: ",
        ),
        Ask::Prompt { text, .. } => (
            format!("{node} asks"),
            vec![
                vec![Span::plain("The server's own words: "), Span::new(text.as_str(), Meaning::Accent)],
                vec![Span::dim("The answer goes to this server only.")],
            ],
            "Answer: ",
        ),
        Ask::UnknownHostKey { host, algorithm, fingerprint, file } => (
            format!("{node} shows an unknown host key"),
            vec![
                vec![Span::plain("Nobody here has met this server before. Compare its key with a source you trust.")],
                Vec::new(),
                vec![Span::dim("host         "), Span::new(host.as_str(), Meaning::Accent)],
                vec![Span::dim("algorithm    "), Span::plain(algorithm.as_str())],
                vec![Span::dim("fingerprint  "), Span::new(fingerprint.as_str(), Meaning::Accent)],
                vec![Span::dim("kept in      "), Span::plain(file.as_str())],
                Vec::new(),
                vec![Span::dim("Esc refuses it: this node stays unconnected, nothing is written.")],
            ],
            "Type yes to trust it: ",
        ),
    };
    debug_assert_eq!(TRUST_WORD, "yes", "the dialog names the word");
    let waiting = app.world.nodes.iter().map(|node| node.questions.len()).sum::<usize>();
    lines.push(Vec::new());
    let room = 76.min(body.width.saturating_sub(4));
    let mut wrapped: Vec<Line> = lines.iter().flat_map(|line| wrap_hanging(line, room, 0)).collect();
    wrapped.push(vec![
        Span::new(label, Meaning::Key),
        Span::new(prompt.shown(canvas.glyphs.bullet), Meaning::Accent),
        Span::new(canvas.glyphs.caret, Meaning::Accent),
    ]);
    if waiting > 1 {
        wrapped.push(vec![Span::dim(format!("{} more wait after this one.", waiting - 1))]);
    }
    let height = u16::try_from(wrapped.len()).unwrap_or(u16::MAX).saturating_add(2);
    let inside = dialog(canvas, body, room, height, &title);
    // The field is the last thing to be cut on a small terminal.
    let hidden = wrapped.len().saturating_sub(usize::from(inside.height));
    scrolled(canvas, &wrapped[hidden..], inside, 0);
}

/// Draws the details of a row: labels in a column, values wrapped behind them.
pub(super) fn details(canvas: &mut Canvas<'_>, details: &[Detail], pane: Area, offset: usize, has_keys: bool) {
    let label = details.iter().filter_map(|d| if let Detail::Pair(label, _) = d { Some(width(label)) } else { None });
    let label = label.max().unwrap_or(0) + 2;
    let beside = pane.x > 0;
    let mut inside = pane;
    inside.take_top(1);
    let title = if has_keys { Meaning::Accent } else { Meaning::Heading };
    let head = match details.first() {
        Some(Detail::Title(line)) => line.clone(),
        _ => vec![Span::new("Details", title)],
    };
    let marks: Line = if has_keys { vec![Span::dim("j k scroll")] } else { Vec::new() };
    canvas.rule(Area { height: 1.min(pane.height), ..pane }, &head, &marks);
    if beside {
        let style = canvas.style(Meaning::Line);
        for y in inside.y..inside.y + inside.height {
            canvas.text(pane.x, y, 1, canvas.glyphs.bar, style);
        }
    }
    inside = Area { x: inside.x + 3, width: inside.width.saturating_sub(4), ..inside };
    // A wide pane below a list would waste its right half: flow into columns.
    let columns = if beside { 1 } else { (inside.width / 52).max(1) };
    let area = inside;
    if columns > 1 {
        inside.width = (inside.width / columns).saturating_sub(2);
    }
    let mut lines: Vec<Line> = Vec::new();
    for detail in details.iter().skip(1) {
        match detail {
            Detail::Title(line) | Detail::Text(line) => lines.extend(wrap(line, inside.width)),
            Detail::Heading(text) => {
                lines.push(Vec::new());
                lines.extend(wrap(&[Span::new(text.clone(), Meaning::Heading)], inside.width));
            }
            Detail::Pair(name, value) => {
                let mut line = vec![Span::dim(format!("{name:<width$}", width = usize::from(label)))];
                line.extend(value.iter().cloned());
                lines.extend(wrap_hanging(&line, inside.width, label));
            }
        }
    }
    let height = usize::from(inside.height);
    let capacity = height * usize::from(columns);
    let first = offset.min(lines.len().saturating_sub(capacity));
    let below = lines.len().saturating_sub(first + capacity);
    for (index, part) in lines[first..].chunks(height.max(1)).take(usize::from(columns)).enumerate() {
        scrolled(canvas, part, Area { x: inside.x + (inside.width + 2) * index as u16, ..inside }, 0);
    }
    if below > 0 && height > 0 {
        let words = [Span::dim(format!(" {below} more below "))];
        canvas.line_right(area.x, area.y + area.height - 1, area.width, &words);
    }
}

/// Breaks a line at spaces so that each part fits.
pub(super) fn wrap(line: &[Span], room: u16) -> Vec<Line> {
    wrap_hanging(line, room, 0)
}

/// Breaks a line at spaces; the parts after the first begin `indent` columns in.
pub(super) fn wrap_hanging(line: &[Span], room: u16, indent: u16) -> Vec<Line> {
    if line_width(line) <= room || room == 0 {
        return vec![line.to_vec()];
    }
    let indent = if indent.saturating_mul(2) > room { 0 } else { indent };
    let mut parts: Vec<Line> = Vec::new();
    let mut part: Line = Vec::new();
    let mut used = 0;
    for span in line {
        let mut piece = String::new();
        for word in span.text.split_inclusive(' ') {
            let wide = width(word.trim_end());
            if used > indent && used + wide > room {
                // A space at the end would count as a column that does not fit.
                part.push(Span::new(std::mem::take(&mut piece).trim_end(), span.meaning));
                parts.push(std::mem::take(&mut part));
                part.push(Span::plain(" ".repeat(usize::from(indent))));
                used = indent;
            }
            piece.push_str(word);
            used += width(word);
        }
        part.push(Span::new(piece, span.meaning));
    }
    parts.push(part);
    parts
}

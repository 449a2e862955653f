//! The table as a picture: bars, less is better. It is as wide as a telephone's screen needs it,
//! and follows the reader's choice of light or dark.

use std::fmt::Write as _;

use crate::servers::Kind;
use crate::table::{Cell, Table, short};

/// Draws the rows that tell most, as SVG.
#[must_use]
pub fn draw(table: &Table) -> String {
    let shown = |index: usize| {
        let measured =
            |(_, cells): &(_, Vec<Cell>)| matches!(cells.get(index), Some(Cell::Measured(_)));
        table.rows.iter().any(measured)
    };
    let mut body = String::new();
    let mut y = TOP;
    for (row, cells) in table.rows.iter().filter(|(row, _)| PICTURED.contains(&row.key)) {
        let cost = |cell: &Cell| match cell {
            Cell::Measured(figure) => figure.cost,
            Cell::Missing(_) => 0.0,
        };
        let most = cells.iter().map(cost).fold(f64::MIN_POSITIVE, f64::max);
        put(&mut body, y, LEFT, "t", row.title);
        y += STEP;
        for (index, (kind, cell)) in table.servers.iter().zip(cells).enumerate() {
            if !shown(index) {
                continue;
            }
            let name = match kind {
                Kind::Pillarbox(runtime) => format!("Pillarbox {runtime}"),
                Kind::Peers => kind.name().to_owned(),
            };
            put(&mut body, y, LEFT, "n", &name);
            if let Cell::Measured(figure) = cell {
                let length = (BAR_MAX * figure.cost / most).max(1.0);
                let class = if *kind == Kind::Peers { "p" } else { "o" };
                let top = y - 11;
                // Writing to a String cannot fail.
                let _infallible = writeln!(
                    body,
                    "<rect class=\"{class}\" x=\"{BARS}\" y=\"{top}\" width=\"{length:.1}\" height=\"13\" rx=\"2\"/>",
                );
                let value = format!("{} {}", short(figure.cost), row.unit);
                put(&mut body, y, BARS + length + 6.0, "v", &value);
            } else {
                put(&mut body, y, BARS, "n", "does not do that");
            }
            y += STEP;
        }
        y += GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" \
         height=\"{y}\" role=\"img\" style=\"max-width:100%;height:auto\">\n\
         <title>What one operation costs; less is better</title>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"b\" width=\"{WIDTH}\" height=\"{y}\" rx=\"8\"/>\n\
         <text class=\"h\" x=\"{LEFT}\" y=\"30\">What one operation costs</text>\n\
         <text class=\"n\" x=\"{LEFT}\" y=\"50\">CPU time or memory of all its processes; less is \
         better</text>\n{body}</svg>\n"
    )
}

fn put(body: &mut String, y: u32, x: f64, class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    // Writing to a String cannot fail.
    let _infallible =
        writeln!(body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\">{text}</text>");
}

/// The keys of the rows in the picture; the text has all.
const PICTURED: [&str; 9] = [
    "deliver-10",
    "deliver-100k",
    "smtp-tls",
    "imaps",
    "append",
    "fetch-flags",
    "fetch-body",
    "search-all",
    "idle",
];

const WIDTH: u32 = 480;
const LEFT: f64 = 16.0;
const BARS: f64 = 152.0;
/// Room for the value behind the longest bar stays.
const BAR_MAX: f64 = 232.0;
const TOP: u32 = 84;
const STEP: u32 = 19;
const GAP: u32 = 11;
const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:14px;fill:#1f2328}\
.h{font-size:18px;font-weight:600}.t{font-weight:600}.n{fill:#59636e}\
.b{fill:#fff}.o{fill:#c8102e}.p{fill:#818b98}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.n{fill:#9198a1}.b{fill:#0d1117}.o{fill:#f4566b}.p{fill:#656c76}}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::{Beside, Figure, ROWS};

    #[test]
    fn a_server_without_a_figure_has_no_bars() {
        let measured = Cell::Measured(Figure { cost: 0.5, beside: Beside::Nothing });
        let cells = vec![measured, Cell::Missing("not in this build".into())];
        let servers = vec![Kind::Pillarbox("smol"), Kind::Pillarbox("glommio")];
        let rows = ROWS.iter().map(|row| (row, cells.clone())).collect();
        let drawn = draw(&Table { place: String::new(), servers, rows });
        assert_eq!(drawn.matches("class=\"o\"").count(), PICTURED.len());
        assert!(!drawn.contains("glommio"));
    }
}

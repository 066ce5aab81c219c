//! Columns of tables: how wide they are, and rows that do not fit.

/// Where a cell stands in its column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Align {
    /// At the left end.
    #[default]
    Left,
    /// At the right end.
    Right,
}

/// How far the second line of a row stands in.
const INDENT: usize = 4;

/// The columns of one table.
pub(super) struct Columns {
    /// Characters of each.
    widths: Vec<usize>,
    aligns: Vec<Align>,
    /// Characters of the screen.
    screen: usize,
}

impl Columns {
    /// Columns for these heads and rows on a screen of so many characters. They have their shares
    /// (percents) of the screen where every row fits so, else what the longest cells need; where that
    /// is more than the screen has, they keep their shares and long rows take a second line. What a
    /// row has behind its last column belongs to no column.
    pub(super) fn of<'a>(
        heads: &[&str],
        shares: &[usize],
        rows: impl Iterator<Item = &'a [String]>,
        screen: usize,
    ) -> Self {
        let mut needed: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
        let mut behind = 0;
        for row in rows {
            for (at, cell) in row.iter().enumerate() {
                let length = cell.chars().count();
                match needed.get_mut(at) {
                    Some(most) => *most = (*most).max(length),
                    None => behind = behind.max(length + 1),
                }
            }
        }
        let shares: Vec<usize> = shares
            .iter()
            .map(|percent| screen * percent / 100)
            .collect();
        let total = |widths: &[usize]| widths.iter().sum::<usize>() + widths.len() - 1 + behind;
        let all_fit = needed
            .iter()
            .zip(&shares)
            .all(|(needed, share)| needed <= share);
        let is_roomy = all_fit && total(&shares) <= screen;
        Self {
            aligns: vec![Align::Left; needed.len()],
            widths: match is_roomy || total(&needed) > screen {
                true => shares,
                false => needed,
            },
            screen,
        }
    }

    /// No columns: cells with a blank between them.
    pub(super) fn free(screen: usize) -> Self {
        Self {
            widths: Vec::new(),
            aligns: Vec::new(),
            screen,
        }
    }

    /// The same with one column aligned otherwise.
    #[must_use]
    pub(super) fn align(mut self, column: usize, align: Align) -> Self {
        if let Some(own) = self.aligns.get_mut(column) {
            *own = align;
        }
        self
    }

    /// The same where rows that are longer than the screen may stay in one line.
    #[must_use]
    pub(super) fn folded(mut self, folded: bool) -> Self {
        if !folded {
            self.screen = usize::MAX;
        }
        self
    }

    /// Writes a row. A cell that would reach over the screen begins a line of its own; it is never
    /// cut or broken.
    pub(super) fn put(&self, text: &mut String, cells: &[String]) {
        let mut line = String::new();
        let mut taken = 0;
        for (at, cell) in cells.iter().enumerate() {
            let width = self.widths.get(at).copied().unwrap_or_default();
            let cell = match self.aligns.get(at) {
                Some(Align::Right) => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            };
            let length = cell.trim_end().chars().count();
            if at > 0 && taken + 1 + length > self.screen {
                text.push_str(line.trim_end());
                text.push('\n');
                line = " ".repeat(INDENT);
                taken = INDENT;
            } else if at > 0 {
                line.push(' ');
                taken += 1;
            }
            taken += cell.chars().count();
            line.push_str(&cell);
        }
        text.push_str(&line);
        text.push('\n');
    }
}

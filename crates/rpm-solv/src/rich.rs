//! Boolean dependencies: `(a and b)`, `(a if b else c)`, nested (rpm's boolean dependencies document).

use crate::deps;
use crate::ffi::{self, Id};
use crate::input::DepInput;
use rpm_pkg::dep::rich::{self, Rich, RichOp};

/// Most operands, nested ones among them, in one dependency.
const MAX_OPERANDS: usize = 500;
/// Most clauses that libsolv may make of one dependency. It writes it out in full, and a few dozen operands can be billions of
/// clauses, before any search that a deadline could end. Dependencies in the field make some ten.
const MAX_CLAUSES: u64 = 4096;

/// The id of a boolean dependency; `None` if the text is not one.
///
/// # Safety
/// `pool` must be a live pool.
pub(crate) unsafe fn rich_id(pool: *mut ffi::Pool, text: &str) -> Option<Id> {
    let rich = rich::parse(text).ok()?;
    let (all_of, any_of) = clauses(&rich);
    let is_short = all_of <= MAX_CLAUSES && any_of <= 16 * MAX_CLAUSES;
    let fits = operands(&rich) <= MAX_OPERANDS && is_short;
    // SAFETY: the pool is live (caller).
    fits.then(|| unsafe { id(pool, &rich) })
}

/// How many clauses there are when it is written out as "all of these alternatives", and as "one of these sets".
fn clauses(rich: &Rich) -> (u64, u64) {
    let and = |a: (u64, u64), b: (u64, u64)| (a.0.saturating_add(b.0), a.1.saturating_mul(b.1));
    let swap = |(a, b): (u64, u64)| (b, a);
    let or = |a, b| swap(and(swap(a), swap(b)));
    match rich {
        Rich::Plain(_) => (1, 1),
        Rich::Chain(op, sides) => {
            let sides = sides.iter().map(clauses);
            let joined = match op {
                RichOp::Or => sides.reduce(or),
                _ => sides.reduce(and),
            };
            joined.unwrap_or((1, 1))
        }
        Rich::Conditional {
            then,
            condition,
            otherwise,
            ..
        } => {
            let (then, condition) = (clauses(then), clauses(condition));
            let met = or(then, swap(condition));
            match otherwise {
                Some(otherwise) => and(met, or(condition, clauses(otherwise))),
                None => met,
            }
        }
    }
}

fn operands(rich: &Rich) -> usize {
    match rich {
        Rich::Plain(_) => 1,
        Rich::Chain(_, sides) => 1 + sides.iter().map(operands).sum::<usize>(),
        Rich::Conditional {
            then,
            condition,
            otherwise,
            ..
        } => 1 + operands(then) + operands(condition) + otherwise.as_deref().map_or(0, operands),
    }
}

/// # Safety
/// As [`rich_id`].
unsafe fn id(pool: *mut ffi::Pool, rich: &Rich) -> Id {
    // SAFETY: the pool is live (caller).
    let of = |rich: &Rich| unsafe { id(pool, rich) };
    // SAFETY: the pool is live (caller), and both ids come from it.
    let join = |left, op, right| unsafe { ffi::pool_rel2id(pool, left, right, relation(op), 1) };
    match rich {
        // SAFETY: the pool is live (caller).
        Rich::Plain(dep) => unsafe {
            deps::plain_id(pool, &DepInput::from(dep), &mut String::new())
        },
        Rich::Chain(op, sides) => {
            let ids: Vec<Id> = sides.iter().map(of).collect();
            let joined = ids
                .into_iter()
                .rev()
                .reduce(|right, left| join(left, *op, right));
            joined.unwrap_or(0)
        }
        Rich::Conditional {
            op,
            then,
            condition,
            otherwise,
        } => {
            let (then, condition) = (of(then), of(condition));
            let otherwise = otherwise.as_deref().map(of);
            let condition =
                otherwise.map_or(condition, |other| join(condition, RichOp::Else, other));
            join(then, *op, condition)
        }
    }
}

fn relation(op: RichOp) -> i32 {
    let relation = match op {
        RichOp::And => ffi::REL_AND,
        RichOp::Or => ffi::REL_OR,
        RichOp::With => ffi::REL_WITH,
        RichOp::Without => ffi::REL_WITHOUT,
        RichOp::If => ffi::REL_COND,
        RichOp::Unless => ffi::REL_UNLESS,
        RichOp::Else => ffi::REL_ELSE,
    };
    relation as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clauses_of(text: &str) -> (u64, u64) {
        clauses(&rich::parse(text).unwrap())
    }

    #[test]
    fn dependencies_that_would_be_written_out_without_end_are_none() {
        assert_eq!(clauses_of("(a and b and c)"), (3, 1));
        assert_eq!(clauses_of("(a or b or c)"), (1, 3));
        assert_eq!(clauses_of("(a if b)"), (1, 2));
        assert_eq!(clauses_of("((a and b) or (c and d))"), (4, 2));
        let nested = |depth: u32| {
            let more = |inner: String, n| format!("(x{n} if {inner} else y{n})");
            (0..depth).fold("c".to_owned(), more)
        };
        assert!(clauses_of(&nested(3)).0 <= MAX_CLAUSES);
        assert!(clauses_of(&nested(30)).0 > MAX_CLAUSES);
        let sets: Vec<String> = (0..40).map(|n| format!("(a{n} and b{n})")).collect();
        assert!(clauses_of(&format!("({})", sets.join(" or "))).0 > MAX_CLAUSES);
    }
}

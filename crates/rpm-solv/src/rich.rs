//! Boolean dependencies: `(a and b)`, `(a if b else c)`, nested (rpm's boolean dependencies document).

use crate::deps;
use crate::ffi::{self, Id};
use crate::input::DepInput;
use rpm_pkg::dep::rich::{self, Rich, RichOp};

/// Most operands, nested ones among them, in one dependency.
const MAX_OPERANDS: usize = 500;

/// The id of a boolean dependency; `None` if the text is not one.
///
/// # Safety
/// `pool` must be a live pool.
pub(crate) unsafe fn rich_id(pool: *mut ffi::Pool, text: &str) -> Option<Id> {
    let rich = rich::parse(text).ok()?;
    // SAFETY: the pool is live (caller).
    (operands(&rich) <= MAX_OPERANDS).then(|| unsafe { id(pool, &rich) })
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

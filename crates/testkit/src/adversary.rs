//! What a hostile server answers, drawn from a seed.

use std::time::Duration;

use fastrand::Rng;

use crate::server::Answer;

/// What is done to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// The answer of an older state of the repository.
    Replay,
    /// Another file of the repository.
    Swap,
    /// The beginning, with a length that says so.
    Truncate,
    /// The beginning, then the connection ends.
    Cut,
    /// More than there is.
    Extend,
    /// One byte is another: the size is right.
    Flip,
    /// Nothing comes for a long time.
    Stall,
    /// A byte now and then.
    Drip,
    /// It never ends.
    Endless,
    /// A login page.
    Page,
    /// Little that becomes much when it is unpacked.
    Bomb,
    /// Noise of the right size.
    Noise,
    /// No HTTP at all.
    Gibberish,
    /// A status that refuses.
    Status(u16),
    /// "You have it already."
    Unmodified,
    /// The answer is promised at a file of the reader's machine, or in a circle.
    Astray,
    /// The older state, by a redirection.
    RedirectedReplay,
    /// A length that is too large.
    LongLength,
    /// Ranges that begin elsewhere than asked.
    ShiftedRange,
}

/// What attacks are made of.
#[derive(Debug, Clone)]
pub struct Materials {
    /// The path on the server.
    pub path: String,
    /// What an honest server would answer.
    pub honest: Vec<u8>,
    /// What the older state has there.
    pub old: Option<Vec<u8>>,
    /// The URL of that.
    pub old_url: String,
    /// Another file.
    pub other: Vec<u8>,
}

impl Attack {
    const ALL: [Attack; 21] = [
        Attack::Replay,
        Attack::Swap,
        Attack::Truncate,
        Attack::Cut,
        Attack::Extend,
        Attack::Flip,
        Attack::Stall,
        Attack::Drip,
        Attack::Endless,
        Attack::Page,
        Attack::Bomb,
        Attack::Noise,
        Attack::Gibberish,
        Attack::Status(404),
        Attack::Status(403),
        Attack::Status(503),
        Attack::Unmodified,
        Attack::Astray,
        Attack::RedirectedReplay,
        Attack::LongLength,
        Attack::ShiftedRange,
    ];

    /// One of all.
    pub fn draw(random: &mut Rng) -> Attack {
        Self::ALL[random.usize(..Self::ALL.len())]
    }

    /// Whether what comes may be a whole older state.
    pub fn replays(self) -> bool {
        matches!(self, Attack::Replay | Attack::RedirectedReplay)
    }

    /// The hostile answer.
    pub fn answer(self, of: &Materials, random: &mut Rng) -> Answer {
        let mut bytes = of.honest.clone();
        let inside = random.usize(..bytes.len().max(1));
        match self {
            Attack::Replay => Answer::body(of.old.clone().unwrap_or_default()),
            Attack::Swap => Answer::body(of.other.clone()),
            Attack::Truncate => {
                bytes.truncate(inside);
                Answer::body(bytes)
            }
            Attack::Cut => Answer {
                reset: random.bool(),
                ..Answer::cut_at(inside as u64)
            },
            Attack::Extend => {
                bytes.extend(crate::noise(random.usize(1..100_000), 7));
                Answer::body(bytes)
            }
            Attack::Flip => {
                if let Some(byte) = bytes.get_mut(inside) {
                    *byte ^= 1 << random.u8(..8);
                }
                Answer::body(bytes)
            }
            Attack::Stall => Answer {
                delay: Some(Duration::from_secs(30)),
                ..Answer::default()
            },
            Attack::Drip => Answer {
                pieces: Some((1, Duration::from_millis(700))),
                ..Answer::default()
            },
            Attack::Endless => Answer {
                endless: true,
                ..Answer::default()
            },
            Attack::Page => Answer::login_page(),
            Attack::Bomb => Answer::body(bomb()),
            Attack::Noise => Answer::body(crate::noise(bytes.len(), random.u64(..))),
            Attack::Gibberish => Answer::raw(crate::noise(random.usize(..5000), 9)),
            Attack::Status(status) => Answer::status(status),
            Attack::Unmodified => Answer {
                not_modified: true,
                ..Answer::default()
            },
            Attack::Astray => {
                let to = [
                    "file:///etc/passwd",
                    of.path.as_str(),
                    "ftp://127.0.0.1/x",
                    "//",
                ];
                Answer::redirect(302, random.choice(to).unwrap_or("/"))
            }
            Attack::RedirectedReplay => Answer::redirect(301, &of.old_url),
            Attack::LongLength => Answer {
                length: Some(bytes.len() as u64 + random.u64(1..1 << 40)),
                ..Answer::default()
            },
            Attack::ShiftedRange => Answer {
                shift_range: random.u64(1..100),
                ..Answer::cut_at(inside as u64)
            },
        }
    }
}

/// 200 MB of zeros, as gzip packs them.
fn bomb() -> Vec<u8> {
    static BOMB: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let made = BOMB.get_or_init(|| {
        let mut pack = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![0; 1 << 20];
        for _ in 0..200 {
            std::io::Write::write_all(&mut pack, &zeros).expect("memory");
        }
        pack.finish().expect("memory")
    });
    made.clone()
}

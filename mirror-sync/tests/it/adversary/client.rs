//! `serve` in proxy mode: what its clients get while upstream lies.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::upstream::{Before, Hunt, INDEX, Upstream, strange};
use super::{Hunted, MOST_MEMORY, MOST_TIME, Outcome};
use crate::serving::Serving;

/// How long an honest upstream may take to be believed: what failed is remembered for two seconds.
const SOON: Duration = Duration::from_secs(30);

/// The body of an answer that is whole, and its status. None: the connection ended too early.
fn get(serving: &Serving, name: &str) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(&serving.address).ok()?;
    stream.set_read_timeout(Some(MOST_TIME)).ok()?;
    write!(
        stream,
        "GET /main/{name} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let body = answer.split_off(end + 4);
    let whole = length.is_none_or(|length| length.trim() == body.len().to_string());
    whole.then_some((status, body))
}

/// Asks for every file; says whether each of the new state was had.
fn ask(
    serving: &Serving,
    hunt: &Hunt<'_>,
    upstream: &Upstream,
    names: &[&str],
) -> Result<bool, String> {
    let mut all = true;
    for name in names {
        let began = Instant::now();
        let answer = get(serving, name);
        if began.elapsed() > MOST_TIME {
            return Err(format!("{name} took {:?}", began.elapsed()));
        }
        match answer {
            Some((200, body)) if hunt.honest(name, &body) => {}
            Some((200, body)) => {
                return Err(format!("{name} came with {} other bytes", body.len()));
            }
            Some((404 | 500..=599, _)) => all &= !is_wanted(upstream, name),
            other => return Err(format!("{name}: {:?}", other.map(|(status, _)| status))),
        }
    }
    Ok(all)
}

/// Whether the new state has it. The signature is not always there: not everybody asks for it.
fn is_wanted(upstream: &Upstream, name: &str) -> bool {
    upstream.now(name).is_some() && !name.ends_with(".asc")
}

/// Waits until each file of the new state is had as it is.
fn settle(serving: &Serving, upstream: &Upstream) -> Result<(), String> {
    let began = Instant::now();
    loop {
        // Who asks for the index lets the mirror ask upstream.
        let names = [&[INDEX], upstream.names().as_slice()].concat();
        let mut wrong = names.iter().filter(|name| {
            let now = upstream.now(name).map(|bytes| (200, bytes.to_vec()));
            is_wanted(upstream, name) && get(serving, name) != now
        });
        match wrong.next() {
            None => return Ok(()),
            Some(name) if began.elapsed() > SOON => {
                let answer = get(serving, name).map(|(status, body)| {
                    let body = body.get(..300).unwrap_or(&body);
                    (status, String::from_utf8_lossy(body).into_owned())
                });
                return Err(format!("an honest upstream afterwards: {name}: {answer:?}"));
            }
            Some(_) => thread::sleep(Duration::from_millis(300)),
        }
    }
}

/// `serve`.
pub(super) fn serve(upstream: &Upstream, seed: u64) -> Hunted {
    let mut hunt = upstream.attacked(seed, "proxy");
    let said = hunt.scene.path("said");
    let mut command = hunt.scene.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.stderr(File::create(&said).unwrap());
    let serving = Serving::of(&mut command);
    let ended = attacked(&mut hunt, upstream, &serving);
    let told = |what: String| hunt.fault(&what);
    let outcome = ended.map_err(told)?;
    let said = fs::read_to_string(said).unwrap();
    if said.contains("panicked") {
        return Err(hunt.fault(&said));
    }
    match serving.peak() {
        peak if peak <= MOST_MEMORY => Ok(outcome),
        peak => Err(hunt.fault(&format!("took {peak} KiB"))),
    }
}

fn attacked(hunt: &mut Hunt<'_>, upstream: &Upstream, serving: &Serving) -> Hunted {
    let names = upstream.names();
    if hunt.before != Before::Nothing {
        hunt.publish(hunt.before);
        for name in [INDEX, "Packages/lib-1-1.noarch.rpm"] {
            get(serving, name);
        }
    }
    hunt.attack();
    let mut backwards = names.clone();
    backwards.reverse();
    let lied: &Hunt<'_> = hunt;
    let (one, other) = thread::scope(|scope| {
        let other = scope.spawn(|| ask(serving, lied, upstream, &backwards));
        let index_first = [&[INDEX], names.as_slice()].concat();
        (
            ask(serving, lied, upstream, &index_first),
            other.join().unwrap(),
        )
    });
    let had = one? && other?;
    let index = get(serving, INDEX).filter(|(status, _)| *status == 200);
    if let Some((_, index)) = index
        && hunt.before == Before::New
        && upstream.before(INDEX) == Some(&index)
    {
        return Err("it went back to the old state".to_owned());
    }
    let strange = strange(&hunt.scene.path("mirror/proxied"), hunt);
    if !strange.is_empty() {
        return Err(format!("the store has {strange:?}"));
    }
    hunt.scene.server.behave();
    settle(serving, upstream)?;
    Ok(if had {
        Outcome::Right
    } else {
        Outcome::Refused
    })
}

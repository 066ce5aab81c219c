use super::*;
use crate::transfer::ids::Id;

/// Runs the probe against servers whose rate is a function of their connections.
fn settle(caps: &[usize], rate: impl Fn(&[usize]) -> Vec<f64>) -> (Vec<usize>, f64) {
    settle_at(0.01, false, caps, |n, _| rate(n))
}

/// ... whose answers take so long, and which may lose packets; the rate knows the time, too.
fn settle_at(
    answer: f64,
    lossy: bool,
    caps: &[usize],
    rate: impl Fn(&[usize], f64) -> Vec<f64>,
) -> (Vec<usize>, f64) {
    let mut probe = Probe::default();
    caps.iter().for_each(|_| probe.add());
    let mut bytes = vec![0.0; caps.len()];
    let mut now = 0.0;
    loop {
        now += 0.1;
        let n: Vec<usize> = (0..caps.len())
            .map(|i| probe.target(HostId::new(i)))
            .collect();
        for (sum, rate) in bytes.iter_mut().zip(rate(&n, now)) {
            *sum += rate * 0.1;
        }
        let readings: Vec<Reading> = (0..caps.len())
            .map(|i| Reading {
                bytes: bytes[i] as u64,
                in_use: n[i],
                cap: caps[i],
                active: true,
            })
            .collect();
        if probe.is_due(now) {
            probe.set_lossy(lossy && now > 3.0);
        }
        if probe.tick(now, answer, &readings) {
            return (
                (0..caps.len())
                    .map(|i| probe.target(HostId::new(i)))
                    .collect(),
                now,
            );
        }
        assert!(now < 100.0, "never settled: {probe:?}");
    }
}

#[test]
fn a_limit_per_connection_is_met_with_all_that_are_allowed() {
    let (n, after) = settle(&[16], |n| vec![5_000.0 * n[0] as f64]);
    assert_eq!(n, [16]);
    assert!(after < 8.0, "{after}");
}

#[test]
fn a_limit_per_client_leaves_one_connection() {
    let (n, _) = settle(&[16], |_| vec![20_000.0]);
    assert_eq!(n, [1]);
}

#[test]
fn a_full_line_keeps_as_many_as_fill_it() {
    let (n, _) = settle(&[16], |n| vec![(4e6 * n[0] as f64).min(12.5e6)]);
    assert_eq!(n, [4]);
}

#[test]
fn each_server_is_judged_for_itself() {
    let (n, _) = settle(&[6, 6], |n| vec![5_000.0 * n[0] as f64, 20_000.0]);
    assert_eq!(n, [6, 1]);
}

#[test]
fn one_line_for_all_servers_is_not_filled_with_connections() {
    let (n, _) = settle(&[6, 6, 6], |n| {
        let all: usize = n.iter().sum();
        n.iter().map(|n| 9e6 * *n as f64 / all as f64).collect()
    });
    assert_eq!(n, [1, 1, 1]);
}

#[test]
fn loss_far_away_is_met_with_all_that_are_allowed_though_rates_jump_about() {
    for seed in 0..20 {
        let jump = |now: f64| 1.0 + 0.35 * ((now * 13.7 + f64::from(seed)).sin());
        let (n, _) = settle_at(0.25, true, &[32], |n, now| {
            vec![20_000.0 * n[0] as f64 * jump(now)]
        });
        assert_eq!(n, [32], "seed {seed}");
    }
}

#[test]
fn they_stay_though_half_of_them_were_never_measured() {
    for most in [6, 16, 24] {
        let (n, _) = settle_at(0.25, true, &[most], |n, now| {
            let jump = 1.0 + 0.2 * (now * 13.7).sin();
            vec![20_000.0 * n[0] as f64 * jump]
        });
        assert_eq!(n, [most]);
    }
}

#[test]
fn far_away_all_that_are_allowed_are_tried_soon() {
    let mut probe = Probe::default();
    probe.add();
    let (mut bytes, mut now) = (0, 0.0);
    while probe.target(HostId::new(0)) < 32 {
        now += 0.1;
        bytes += 2_000 * probe.target(HostId::new(0)) as u64;
        let reading = Reading {
            bytes,
            in_use: probe.target(HostId::new(0)),
            cap: 32,
            active: true,
        };
        probe.tick(now, 0.25, &[reading]);
        assert!(now < 2.0, "{probe:?}");
    }
}

#[test]
fn a_limit_per_client_far_away_leaves_few_connections() {
    let (n, _) = settle_at(0.25, false, &[16], |_, _| vec![20_000.0]);
    assert_eq!(n, [1]);
}

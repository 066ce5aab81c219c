//! Which key signs for an object store, and what is said of one that cannot.

use std::fs;
use std::path::Path;

use repo_client::{Access, Client, ClientOptions, Proxy, Route, S3Access, S3Environment};
use testkit::server::Answer;

use crate::fixture::Log;
use crate::store_faults::{KEY, SECRET, TOKEN, access, get, proof, refusal, variables, www};
use crate::stores::client_with;

/// A token becomes a key, once for all requests, and a new one before that ends; it goes to no server in clear.
#[test]
fn a_web_identity_is_renewed() {
    let (dir, server) = www();
    let file = dir.path().join("token");
    fs::write(&file, "first-token\n").unwrap();
    let endpoint = server.url("");
    let role = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
    ];
    let answer = |ends: &str, id: &str| {
        Answer::body(format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>\
             <SessionToken>{TOKEN}</SessionToken><Expiration>{ends}</Expiration>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        ))
    };
    server.next(
        "/",
        [
            answer("1970-01-01T00:00:00Z", "ONE"),
            answer("2999-01-01T00:00:00Z", "TWO"),
        ],
    );
    let client = client_with(&variables(&role));
    for _ in 0..4 {
        get(&client, &access(), "s3://photon/f", &Log::default()).unwrap();
    }
    let asked = server.seen_at("/");
    assert_eq!(asked.len(), 2);
    let body = String::from_utf8_lossy(&asked[0].body).into_owned();
    assert!(body.contains("WebIdentityToken=first-token"), "{body}");
    let signed = server.seen_at("/photon/f");
    let ids: Vec<bool> = signed
        .iter()
        .map(|seen| proof(seen).contains("Credential=TWO/"))
        .collect();
    assert_eq!(ids, [false, true, true, true]);
    assert!(
        signed
            .iter()
            .all(|seen| seen.header("x-amz-security-token") == Some(TOKEN))
    );

    server.next("/", [refusal(403, "AccessDenied", "")]);
    let client = client_with(&variables(&role));
    let why = get(&client, &access(), "s3://photon/f", &Log::default()).unwrap_err();
    assert!(
        why.contains("no key for role arn:aws:iam::1:role/r by the token of"),
        "{why}"
    );
    assert!(
        why.contains(": AccessDenied") && !why.contains("first-token"),
        "{why}"
    );
}

/// Row 147: half a key and helper programs are said, a token goes to nobody in clear; a client without a clock signs nothing.
#[test]
fn keys_that_cannot_be_used_are_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    let named = file.to_str().unwrap();
    let endpoint = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let store = ("AWS_SHARED_CREDENTIALS_FILE", named);
    for (text, pairs, words) in [
        (
            "",
            vec![("AWS_ACCESS_KEY_ID", KEY)],
            "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY",
        ),
        (
            "",
            vec![("AWS_SECRET_ACCESS_KEY", SECRET)],
            "AWS_SECRET_ACCESS_KEY is set without",
        ),
        (
            "[default]\naws_access_key_id=AKIDOFTHETEST",
            vec![],
            "has one half of an access key alone",
        ),
        (
            "[default]\ncredential_process=x s3cretOfTheTest",
            vec![],
            "by credential_process, which is not done here",
        ),
        (
            "[default]\nrole_arn=r\nsource_profile=b",
            vec![],
            "by source_profile, which is not done here",
        ),
        (
            "[default]\n",
            vec![("AWS_PROFILE", "p")],
            "no profile p (AWS_PROFILE) in",
        ),
        (
            "",
            vec![
                ("AWS_ROLE_ARN", "r"),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", named),
                ("AWS_ENDPOINT_URL_STS", "http://sts.example"),
            ],
            "would go to sts.example in clear: https is expected",
        ),
        (
            "",
            vec![
                ("AWS_ROLE_ARN", "r"),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", named),
            ],
            "it is empty: a token is expected",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let pairs = [pairs, vec![endpoint, store]].concat();
        let client = client_with(&variables(&pairs));
        let access = Access {
            retries: 0,
            ..access()
        };
        let why = get(&client, &access, "s3://photon/f", &Log::default()).unwrap_err();
        assert!(why.contains(words), "{words}: {why}");
        assert!(!why.contains(SECRET) && !why.contains(KEY), "{why}");
    }
    let pairs = [
        endpoint,
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let env = S3Environment::of(&variables(&pairs), Some(Path::new("/home/u")));
    assert!(!format!("{env:?}").contains(SECRET));
    assert_eq!(
        env.credentials_file.as_deref(),
        Some(Path::new("/home/u/.aws/credentials"))
    );
    let client = Client::new(ClientOptions {
        s3: env,
        ..ClientOptions::default()
    });
    let why = get(&client, &access(), "s3://photon/f", &Log::default()).unwrap_err();
    assert!(why.contains("no clock to sign by"), "{why}");
}

/// What one repository says goes before the environment; its login is a key, also in the URL.
#[test]
fn a_section_goes_before_the_environment() {
    let (_dir, server) = www();
    let client = client_with(&variables(&[
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "OTHER"),
        ("AWS_SECRET_ACCESS_KEY", "other"),
    ]));
    let own = Access {
        username: Some(KEY.to_owned()),
        password: Some(SECRET.to_owned()),
        origins: vec!["s3://photon/".to_owned()],
        s3: S3Access {
            endpoint: Some(server.url("")),
            region: Some("mars-1".to_owned()),
            style: None,
        },
        ..access()
    };
    get(&client, &own, "s3://photon/f", &Log::default()).unwrap();
    get(&client, &own, "s3://IN:URL@photon/f", &Log::default()).unwrap();
    let seen = server.seen();
    assert!(
        proof(&seen[0]).contains(&format!("Credential={KEY}/"))
            && proof(&seen[0]).contains("/mars-1/s3/")
    );
    assert!(proof(&seen[1]).contains("Credential=IN/"));
    assert!(seen.iter().all(|seen| !seen.target.contains("Signature")));
}

/// Row 147: what the user is known by goes to no server that a section alone names, to none by a line that others read, and
/// not by the way of a section to who gives keys.
#[test]
fn row_147_a_section_leads_no_key_of_the_user_elsewhere() {
    let (dir, server) = www();
    let (_other_dir, other) = www();
    let denied = || refusal(403, "AccessDenied", "");
    let env = |endpoint: &str| {
        client_with(&variables(&[
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_SESSION_TOKEN", TOKEN),
        ]))
    };
    let bare = |server: &testkit::server::Server| {
        let seen = server.seen();
        assert!(!seen.is_empty());
        let is_bare = |seen: &testkit::server::Seen| {
            proof(seen).is_empty() && seen.header("x-amz-security-token").is_none()
        };
        assert!(seen.iter().all(is_bare), "{seen:?}");
        server.forget();
    };
    let named = Access {
        retries: 0,
        s3: S3Access {
            endpoint: Some(other.url("")),
            ..S3Access::default()
        },
        ..access()
    };
    let client = env(&server.url(""));
    other.next("/photon/f", [denied()]);
    let why = get(&client, &named, "s3://photon/f", &Log::default()).unwrap_err();
    assert!(
        why.contains("the access key of the environment is not used: s3_endpoint is not"),
        "{why}"
    );
    bare(&other);
    // The same server may be named.
    let same = env(other.url("").trim_end_matches('/'));
    get(&same, &named, "s3://photon/f", &Log::default()).unwrap();
    assert!(proof(&other.seen()[0]).contains(KEY));
    other.forget();
    // Whoever writes the sections decides.
    let ours = Client::new(ClientOptions {
        own_sections: true,
        clock: Some(testkit::now),
        s3: S3Environment::of(
            &variables(&[
                ("AWS_ACCESS_KEY_ID", KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET),
            ]),
            None,
        ),
        ..ClientOptions::default()
    });
    get(&ours, &named, "s3://photon/f", &Log::default()).unwrap();
    assert!(proof(&other.seen()[0]).contains(KEY));
    other.forget();

    // In clear, by a proxy.
    let by_proxy = Access {
        retries: 0,
        route: Route::Through(Proxy {
            url: other.url(""),
            username: None,
            password: None,
        }),
        ..access()
    };
    for endpoint in ["http://store.example", &server.url("")] {
        let _ = get(&env(endpoint), &by_proxy, "s3://photon/f", &Log::default());
        bare(&other);
    }

    // The token of an identity.
    let file = dir.path().join("token");
    fs::write(&file, "first-token\n").unwrap();
    let pairs = [
        ("AWS_ENDPOINT_URL", server.url("")),
        ("AWS_ROLE_ARN", "r".to_owned()),
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            file.to_str().unwrap().to_owned(),
        ),
    ];
    let pairs = pairs
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let ours = Client::new(ClientOptions {
        own_sections: true,
        clock: Some(testkit::now),
        s3: S3Environment::of(&variables(&pairs), None),
        ..ClientOptions::default()
    });
    server.next("/", [denied()]);
    let why = get(&ours, &by_proxy, "s3://photon/f", &Log::default()).unwrap_err();
    assert!(why.contains("no key for role r"), "{why}");
    assert_eq!(server.seen_at("/").len(), 1);
    assert!(other.seen().is_empty());
}

/// Row 147: the login of a section signs for the buckets that it names, and for none that a list names.
#[test]
fn row_147_a_list_gets_no_signature_of_the_section() {
    let (_dir, server) = www();
    let client = client_with(&variables(&[("AWS_ENDPOINT_URL", &server.url(""))]));
    let own = Access {
        username: Some(KEY.to_owned()),
        password: Some(SECRET.to_owned()),
        origins: vec!["s3://site/repo".to_owned()],
        ..access()
    };
    get(&client, &own, "s3://photon/f", &Log::default()).unwrap();
    assert_eq!(proof(&server.seen()[0]), "");
}

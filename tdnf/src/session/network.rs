//! The network side of a session: its client, how hard servers are asked, and the phase in which files are transferred.

use repo_client::{Client, ClientOptions, ProxyEnvironment, RegistryLogins, Route, TransferLimits};

use super::Session;
use crate::error::Outcome;
use crate::interrupt::{Interrupt, Phase};
use crate::settings::{Settings, clock};

impl Session<'_> {
    /// The network client; nothing is started before the first request.
    pub fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let client = Client::new(client_options(&self.settings, &self.interrupt));
            self.recall_rates(&client);
            client
        })
    }

    /// How hard servers are asked.
    pub fn limits(&self) -> TransferLimits {
        let main = &self.settings.main;
        let hasty = TransferLimits::hasty();
        let at_once = main.max_parallel_downloads;
        TransferLimits {
            connections: if at_once == 0 {
                hasty.connections
            } else {
                at_once as usize
            },
            connections_per_host: (main.connections_per_host as usize).max(1),
            ..hasty
        }
    }

    /// Transfers files: a signal ends that, keeps what has come, and ends the run.
    pub fn transfer<T>(&self, work: impl FnOnce() -> T) -> Outcome<T> {
        let value = self.interrupt.during(Phase::Transfer, work);
        let is_told = self.printer.mode().verbose;
        if is_told && self.client.get().is_some_and(Client::trusts_builtin_roots) {
            self.warn_once(repo_client::BUILTIN_ROOTS_USED);
        }
        self.remember_rates();
        self.go_on().map(|()| value)
    }
}

fn client_options(settings: &Settings, interrupt: &Interrupt) -> ClientOptions {
    let main = &settings.main;
    let environment = &settings.environment;
    ClientOptions {
        user_agent: settings.user_agent(),
        proxy: Route::of(
            main.proxy.as_deref(),
            main.proxy_username.as_ref(),
            main.proxy_password.as_ref(),
        ),
        proxy_environment: ProxyEnvironment {
            http: environment.http_proxy.clone(),
            https: environment.https_proxy.clone(),
            all: environment.all_proxy.clone(),
            no_proxy: environment.no_proxy.clone(),
        },
        ca_environment: environment.certificates.clone(),
        registry_logins: match settings.brought.any() {
            // Its sections name proxies and turn checks off: what this user is known by is not for them.
            true => RegistryLogins::default(),
            false => environment.registry_logins.clone(),
        },
        s3: match settings.brought.any() {
            true => environment.stores.without_keys(),
            false => environment.stores.clone(),
        },
        clock: Some(clock),
        stop: Some(interrupt.stop_flag()),
        ..ClientOptions::default()
    }
}

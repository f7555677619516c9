//! Proxies named by the environment: `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, in
//! lower or upper case.

use ureq::Proxy;

use crate::error::Error;

/// The proxy of each scheme.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
}

impl Proxies {
    pub(super) fn from_env() -> Result<Self, Error> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(env: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let either = |name: &str| {
            let set = env(name).or_else(|| env(&name.to_uppercase()));
            set.filter(|value| !value.trim().is_empty()).map(|value| (name.to_owned(), value))
        };
        let exempt = either("no_proxy").map(|(_, hosts)| hosts).unwrap_or_default();
        let of = |name: &str| {
            let found = either(name).or_else(|| either("all_proxy"));
            found.map(|(name, value)| proxy(&name, value.trim(), &exempt)).transpose()
        };
        Ok(Self { http: of("http_proxy")?, https: of("https_proxy")? })
    }

    /// Returns the proxy for a scheme. ureq checks whether a host is exempt when it connects.
    pub(super) fn of(&self, scheme: &str) -> Option<Proxy> {
        if scheme == "https" { self.https.clone() } else { self.http.clone() }
    }
}

fn proxy(name: &str, value: &str, exempt: &str) -> Result<Proxy, Error> {
    // The value is not shown: it may hold a password.
    let invalid = |_| Error::InvalidSetting {
        setting: "proxy",
        reason: format!("the value of {name} in the environment is not the address of a proxy"),
    };
    let named = Proxy::new(value).map_err(invalid)?;
    let mut builder = Proxy::builder(named.protocol()).host(named.host()).port(named.port());
    builder = builder.resolve_target(named.resolve_target());
    if let Some(username) = named.username() {
        builder = builder.username(username);
    }
    if let Some(password) = named.password() {
        builder = builder.password(password);
    }
    for host in exempt.split(',').map(str::trim).filter(|host| !host.is_empty()) {
        builder = builder.no_proxy(host);
        // `example.com` exempts its subdomains too, as in other programs.
        if !host.starts_with(['.', '*']) && !host.ends_with(['.', '*']) {
            builder = builder.no_proxy(&format!(".{host}"));
        }
    }
    builder.build().map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(vars: &[(&str, &str)]) -> Result<Proxies, String> {
        let env = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Proxies::read(env).map_err(|error| error.to_string())
    }

    fn host(proxies: &Proxies, scheme: &str) -> Option<String> {
        proxies.of(scheme).map(|proxy| format!("{}:{}", proxy.host(), proxy.port()))
    }

    #[test]
    fn each_scheme_has_its_own_and_all_stands_in() {
        let both = proxies(&[("http_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:2")]).unwrap();
        assert_eq!(host(&both, "http").as_deref(), Some("a:1"));
        assert_eq!(host(&both, "https").as_deref(), Some("b:2"));
        let all = proxies(&[("ALL_PROXY", "socks5://c:3"), ("https_proxy", " http://u:p@b:2 ")]).unwrap();
        assert_eq!(host(&all, "http").as_deref(), Some("c:3"));
        assert_eq!(
            all.of("https").and_then(|proxy| proxy.password().map(str::to_owned)).as_deref(),
            Some("p")
        );
        let none = proxies(&[("http_proxy", "")]).unwrap();
        assert_eq!(host(&none, "http"), None);
    }

    #[test]
    fn some_hosts_are_exempt() {
        let proxies =
            proxies(&[("all_proxy", "http://a:1"), ("no_proxy", "example.com, .internal ,10.*")]).unwrap();
        let proxy = proxies.of("http").unwrap();
        let exempt = |url: &str| proxy.is_no_proxy(&url.parse().unwrap());
        for url in
            ["http://example.com/", "http://sub.example.com/", "http://a.internal/", "http://10.1.2.3/"]
        {
            assert!(exempt(url), "{url}");
        }
        for url in ["http://notexample.com/", "http://example.org/", "http://11.1.1.1/"] {
            assert!(!exempt(url), "{url}");
        }
    }

    #[test]
    fn a_bad_one_is_an_error_that_does_not_show_it() {
        assert_eq!(
            proxies(&[("http_proxy", "ftp://user:secret@host")]).map(drop),
            Err("invalid proxy: the value of http_proxy in the environment is not the address of a proxy"
                .to_owned())
        );
    }
}

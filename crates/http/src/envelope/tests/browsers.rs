//! What answers tell browsers.

use core::net::SocketAddr;

use super::*;

#[actix_web::test]
async fn every_answer_has_an_id_and_says_what_browsers_may_not_do() {
    tokio::time::pause();
    for (request, status) in every_kind() {
        let answer = send(request).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-request-id").unwrap().len(), 32, "{status}");
        for (name, value) in [
            ("cache-control", "no-store"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("referrer-policy", "no-referrer"),
            ("vary", "Origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name} of {status}");
        }
        assert_eq!(answer.header("strict-transport-security"), None);
    }
}

#[actix_web::test]
async fn an_allowed_page_may_read_every_answer_and_another_none() {
    tokio::time::pause();
    for (request, status) in every_kind() {
        if status == 204 {
            continue;
        }
        let answer = send(request.insert_header(("origin", "https://app.example"))).await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://app.example")
        );
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in ["X-Request-Id", "Retry-After", "WWW-Authenticate"] {
            assert!(exposed.contains(name), "{name}");
        }
    }
    for origin in ["https://evil.example", "null", "https://app.example.evil"] {
        let answer = send(get("/ok").insert_header(("origin", origin))).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
}

#[actix_web::test]
async fn a_preflight_is_answered_on_every_path() {
    for path in ["/ok", "/nothing", "/panic"] {
        let answer = send(preflight(path, "https://app.example")).await;
        assert_eq!(answer.status, 204, "{path}");
        assert!(
            answer
                .header("access-control-allow-methods")
                .unwrap()
                .contains("DELETE")
        );
        let names = answer.header("access-control-allow-headers");
        assert_eq!(names, Some("authorization, x-tenant"));
        let other = send(preflight(path, "https://evil.example")).await;
        assert_eq!(other.status, 204, "{path}");
        assert_eq!(other.header("access-control-allow-methods"), None);
        assert_eq!(other.header("access-control-allow-origin"), None);
    }
}

#[actix_web::test]
async fn another_host_is_refused_but_for_probes() {
    let limited = || Edge {
        allowed_hosts: AllowedHosts::from("auth.example"),
        ..edge()
    };
    let named = |path: &str, host: &'static str| get(path).insert_header(("host", host));
    let refused = send_to(limited(), named("/ok", "evil.example")).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "disallowed_host")
    );
    assert_eq!(
        send_to(limited(), named("/ok", "auth.example:8000"))
            .await
            .status,
        200
    );
    for probe in PROBES {
        for path in [probe.to_owned(), format!("{probe}/")] {
            if !path.is_empty() {
                let answer = send_to(limited(), named(&path, "10.1.2.3:8000")).await;
                assert_eq!(answer.status, 404, "{path}");
            }
        }
    }
}

#[actix_web::test]
async fn what_a_handler_says_of_caching_stays() {
    assert_eq!(
        send(get("/kept")).await.header("cache-control"),
        Some("max-age=300")
    );
}

#[actix_web::test]
async fn only_an_encrypted_answer_asks_to_stay_encrypted() {
    let hsts = |answer: Answer| {
        answer
            .header("strict-transport-security")
            .map(str::to_owned)
    };
    let peer = |address: &str| {
        let address: SocketAddr = address.parse().unwrap();
        get("/ok")
            .peer_addr(address)
            .insert_header(("x-forwarded-proto", "https"))
    };
    assert_eq!(hsts(send(peer("203.0.113.9:80")).await), None);
    assert!(hsts(send(peer("10.0.0.1:80")).await).is_some());
    let public = Edge {
        public_scheme: Scheme::Https,
        ..edge()
    };
    assert!(hsts(send_to(public, get("/ok")).await).is_some());
}

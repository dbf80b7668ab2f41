//! How long tokens and sessions live.

use core::ops::RangeInclusive;
use core::time::Duration;

use tessera_domain::{Rotation, TokenPolicy};

use super::{ConfigError, Environment, Notice};

pub(crate) fn read(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<TokenPolicy, ConfigError> {
    let defaults = TokenPolicy::default();
    let rotates = environment.switch("TESSERA_REFRESH_ROTATION", true)?;
    if !rotates {
        notices.push(Notice::new(
            "TESSERA_REFRESH_ROTATION is off: a stolen refresh token works until its end"
                .to_owned(),
        ));
    }
    let policy = TokenPolicy {
        access_lifetime: lifetime(
            environment,
            "JWT_ACCESS_TOKEN_LIFETIME",
            "ACCESS_TOKEN_EXPIRE_MINUTES",
        )?
        .unwrap_or(defaults.access_lifetime),
        refresh_lifetime: lifetime(
            environment,
            "JWT_REFRESH_TOKEN_LIFETIME",
            "REFRESH_TOKEN_EXPIRE_MINUTES",
        )?
        .unwrap_or(defaults.refresh_lifetime),
        session_lifetime: environment
            .parse("TESSERA_SESSION_MAX", |end| end.seconds(SECONDS))?
            .unwrap_or(defaults.session_lifetime),
        grace: environment
            .parse("TESSERA_REFRESH_GRACE", |grace| grace.seconds(0..=60))?
            .unwrap_or(defaults.grace),
        rotation: if rotates {
            Rotation::EveryRefresh
        } else {
            Rotation::Never
        },
        ..defaults
    };
    if policy.access_lifetime > policy.session_lifetime {
        return Err(ConfigError::new(
            "TESSERA_SESSION_MAX is shorter than the life of an access token, which \
             JWT_ACCESS_TOKEN_LIFETIME or ACCESS_TOKEN_EXPIRE_MINUTES sets",
        ));
    }
    if policy.access_lifetime > policy.refresh_lifetime {
        return Err(ConfigError::new(
            "JWT_REFRESH_TOKEN_LIFETIME (or REFRESH_TOKEN_EXPIRE_MINUTES) is shorter than the life \
             of an access token, which JWT_ACCESS_TOKEN_LIFETIME or ACCESS_TOKEN_EXPIRE_MINUTES \
             sets",
        ));
    }
    Ok(policy)
}

/// The seconds of one name or the minutes of the other; where both are set they have to agree.
fn lifetime(
    environment: &Environment,
    seconds: &'static str,
    minutes: &'static str,
) -> Result<Option<Duration>, ConfigError> {
    let by_seconds = environment.parse(seconds, |life| life.seconds(SECONDS))?;
    let by_minutes = environment.parse(minutes, |life| {
        let minutes: u64 = life.number(1..=SECONDS.end() / 60)?;
        Ok(Duration::from_mins(minutes))
    })?;
    match (by_seconds, by_minutes) {
        (Some(one), Some(other)) if one != other => Err(ConfigError::new(format!(
            "{seconds} and {minutes} contradict each other: keep one of them"
        ))),
        (one, other) => Ok(one.or(other)),
    }
}

/// Ten years: longer than anything that should be kept, and far from any overflow.
const SECONDS: RangeInclusive<u64> = 1..=315_360_000;

//! What Tessera promises of credentials and tenants, and the tests that hold it to that.
//!
//! A promise is the sentence that people rely on; a test that is renamed or removed is missed here.

use std::fs;
use std::path::Path;

use self::tenants::TENANTS;

mod tenants;

#[test]
fn each_promise_of_credentials_has_its_tests() {
    have_tests(CREDENTIALS);
}

#[test]
fn each_promise_of_tenants_has_its_tests() {
    have_tests(TENANTS);
}

fn have_tests(promises: &[Promise]) {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (promise, tests) in promises {
        assert!(!tests.is_empty(), "{promise}");
        for (file, names) in *tests {
            let text = fs::read_to_string(crates.join(file)).unwrap_or_default();
            for name in *names {
                assert!(text.contains(&format!("fn {name}(")), "{file}: {name}");
            }
        }
    }
}

/// A promise, and the tests of each file.
type Promise = (
    &'static str,
    &'static [(&'static str, &'static [&'static str])],
);

const CREDENTIALS: &[Promise] = &[
    (
        "Login and recovery answers do not differ in content or measurably in time, whatever the \
         state of the account or the input.",
        &[
            (
                "server/tests/e2e/same_answer.rs",
                &[
                    "log_in_and_recovery_answers_do_not_differ_in_content_or_measurably_in_time",
                    "recovery_answers_do_not_differ_either_while_the_mail_server_is_down",
                ],
            ),
            (
                "http/tests/service/accounts/alike.rs",
                &[
                    "forgot_and_resend_answer_the_same_byte_for_byte",
                    "sign_up_answers_the_same_byte_for_byte",
                    "what_is_wrong_with_the_rest_is_told_the_same_too",
                ],
            ),
            (
                "app/tests/use_cases/log_in.rs",
                &["whatever_is_wrong_the_answer_and_its_cost_are_the_same"],
            ),
            (
                "app/tests/use_cases/forgot_password.rs",
                &["whatever_there_is_of_the_address_the_answer_and_its_cost_are_the_same"],
            ),
            (
                "crypto/src/passwords/tests.rs",
                &["what_cannot_be_verified_costs_as_much_as_an_unknown_user"],
            ),
        ],
    ),
    (
        "Passwords: 8 characters or more by default (a setting per tenant), at least 64 accepted, \
         256 the ceiling, never truncated, trimmed or case-folded.",
        &[
            (
                "domain/src/password.rs",
                &[
                    "length_is_counted_in_characters_and_never_cut",
                    "length_is_that_of_what_was_typed_and_not_of_its_folded_form",
                ],
            ),
            (
                "app/tests/use_cases/register.rs",
                &[
                    "the_tenant_says_how_many_characters_a_new_password_has_at_least",
                    "a_new_password_has_256_characters_at_most_and_all_of_them_count",
                ],
            ),
            (
                "app/tests/use_cases/log_in.rs",
                &["a_password_is_neither_trimmed_nor_folded"],
            ),
            (
                "http/tests/service/accounts/mailed.rs",
                &["a_password_is_set_as_it_was_typed"],
            ),
            (
                "server/tests/e2e/hashes.rs",
                &["a_password_of_256_characters_is_taken_whole"],
            ),
        ],
    ),
    (
        "Passwords: no composition rules; refused when on a list of common passwords or made of \
         the tenant's, product's or user's own name.",
        &[
            (
                "domain/src/password.rs",
                &[
                    "there_are_no_composition_rules",
                    "a_common_password_is_refused_however_it_is_spelled",
                    "a_password_made_of_a_name_is_refused",
                ],
            ),
            (
                "app/tests/use_cases/register.rs",
                &["a_weak_password_is_refused_whatever_there_is_of_the_address"],
            ),
            (
                "app/tests/use_cases/reset_password.rs",
                &["a_weak_password_leaves_the_token_usable"],
            ),
            (
                "app/tests/use_cases/change_password.rs",
                &["a_weak_password_is_refused_before_anything_else"],
            ),
        ],
    ),
    (
        "No stored or imported password record can make a login consume more than the configured \
         time and memory.",
        &[
            (
                "crypto/src/cost.rs",
                &[
                    "a_cost_is_bounded_above",
                    "the_ceiling_lets_through_what_is_configured_and_what_others_made",
                ],
            ),
            (
                "crypto/src/passwords/tests.rs",
                &[
                    "what_cannot_be_verified_costs_as_much_as_an_unknown_user",
                    "no_record_makes_reading_it_panic",
                ],
            ),
        ],
    ),
    (
        "The number of password hashes in progress never exceeds the configured cap, also when \
         clients disconnect.",
        &[
            (
                "server/tests/e2e/hashes.rs",
                &["no_more_is_hashed_than_there_are_threads_also_when_clients_disconnect"],
            ),
            (
                "crypto/src/pool/tests.rs",
                &[
                    "as_many_jobs_as_threads_are_worked_at",
                    "work_that_nobody_waits_for_keeps_its_place_and_is_done",
                ],
            ),
        ],
    ),
    (
        "Guessing is limited per account across all replicas and restarts, whatever headers the \
         guesser sends; a lock never ends or blocks the owner's live sessions, reset or refresh, \
         and ends by itself.",
        &[
            (
                "server/tests/e2e/guessing.rs",
                &[
                    "a_thousand_parallel_guesses_count_five_times_and_leave_the_owner_alone_over_a_restart",
                    "a_lock_ends_by_itself",
                ],
            ),
            (
                "http/tests/service/rate_limits.rs",
                &[
                    "a_stranger_cannot_choose_its_bucket",
                    "made_up_tokens_from_everywhere_keep_nobody_from_a_reset_or_a_verification",
                ],
            ),
            (
                "app/tests/use_cases/lockout.rs",
                &[
                    "a_lock_touches_no_live_session",
                    "of_many_parallel_guesses_each_counts",
                    "parallel_guesses_do_not_outrun_the_lock",
                ],
            ),
            (
                "app/tests/use_cases/reset_password.rs",
                &["a_lock_does_not_keep_the_owner_from_a_reset_which_ends_it"],
            ),
            (
                "domain/src/lockout.rs",
                &["in_any_hour_the_guesses_that_count_are_few"],
            ),
        ],
    ),
    (
        "Every mailed token is random (128 bits or more, no uuid), stored as a digest, bound to \
         one purpose, user and tenant, works once even under a race, and dies when the password or \
         e-mail changes.",
        &[(
            "app/tests/use_cases/mailed_token.rs",
            &[
                "a_mailed_token_is_random_and_no_two_are_alike",
                "a_mailed_token_is_stored_as_a_digest_and_shown_nowhere",
                "a_mailed_token_is_good_for_its_purpose_alone",
                "a_mailed_token_is_good_for_its_user_alone",
                "a_mailed_token_of_one_tenant_means_nothing_in_another",
                "a_mailed_token_works_once",
                "of_many_who_show_a_mailed_token_at_the_same_time_one_succeeds",
                "a_mailed_token_dies_when_password_or_address_change_or_all_sessions_end",
                "a_mailed_token_that_died_with_an_address_does_not_revive_with_it",
            ],
        )],
    ),
    (
        "An account whose e-mail was never verified gives its creator no access after the true \
         owner signs in by any means.",
        &[(
            "app/tests/use_cases/reset_password.rs",
            &[
                "an_account_never_verified_gives_its_creator_nothing_after_the_owners_reset",
                "who_signs_up_with_an_address_that_somebody_took_gets_the_account",
            ],
        )],
    ),
    (
        "E-mail addresses that differ only in case are one account, also when registered at the \
         same moment; mail goes to the stored address, never to the typed one.",
        &[
            (
                "server/tests/e2e/accounts.rs",
                &["of_20_racing_registrations_of_one_address_one_makes_the_account"],
            ),
            (
                "server/tests/e2e/smtp.rs",
                &["who_signs_up_verifies_and_resets_by_mails_that_a_mail_server_takes"],
            ),
            (
                "app/tests/use_cases/register.rs",
                &[
                    "addresses_that_differ_only_in_case_are_one_account_also_at_the_same_moment",
                    "of_an_address_that_is_taken_the_owner_is_told_at_the_stored_spelling",
                ],
            ),
            (
                "app/tests/use_cases/forgot_password.rs",
                &["mail_goes_to_the_stored_address_never_to_the_typed_one"],
            ),
            (
                "domain/src/email.rs",
                &["spellings_of_one_address_have_one_key"],
            ),
        ],
    ),
];

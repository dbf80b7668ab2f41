//! The cases that every store passes.

mod audit;
mod commits;
mod deliveries;
mod emptying;
mod erasures;
mod events;
mod keys;
mod mailed_tokens;
mod mails;
mod races;
mod sessions;
mod tenants;
mod users;

/// Lists the cases: makes each of them public, and the macro that makes them tests of an adapter.
macro_rules! suite {
    ($dollar:tt $($module:ident { $($case:ident)+ })+) => {
        $($(
            #[doc(hidden)]
            pub async fn $case(fixture: crate::Fixture) {
                $module::$case(&fixture).await;
            }
        )+)+

        /// Makes every case a test; `$fresh` is an async function that makes a
        /// [`Fixture`](crate::Fixture).
        #[macro_export]
        macro_rules! store_suite {
            ($dollar fresh:path) => {
                $($(
                    #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $case() {
                        $crate::store::$case($dollar fresh().await).await;
                    }
                )+)+
            };
        }
    };
}

suite! { $
    tenants {
        a_fresh_store_is_ready_and_empty
        a_tenant_is_found_by_its_id_its_name_its_schema_and_its_domains
        what_no_tenant_is_called_finds_none
        tenants_are_listed_by_schema_name
        tenants_that_go_or_move_are_listed_until_they_are_gone_or_there
        the_default_tenant_is_kept_as_any_other
        every_field_of_a_tenant_comes_back
        a_tenant_is_updated_at_the_version_it_was_read_at
        names_and_schemas_of_tenants_are_one_namespace
        a_tenant_may_be_called_like_its_own_schema
        a_name_that_a_tenant_gave_up_is_free
        a_domain_belongs_to_one_tenant
        a_domain_that_a_tenant_gave_up_is_free
        a_commit_to_a_tenant_that_does_not_exist_writes_nothing
    }
    users {
        a_user_is_found_by_id_address_and_username_in_its_tenant_alone
        users_are_paged_in_the_order_of_their_ids_in_their_tenant_alone
        users_are_filtered_by_what_they_are_called_in_their_tenant_alone
        users_are_filtered_by_all_that_is_asked_for
        every_field_of_a_user_comes_back
        a_user_is_inserted_at_version_one_and_updated_at_the_version_it_was_read_at
        a_user_that_does_not_exist_cannot_be_updated
        a_user_of_another_tenant_cannot_be_updated
        a_user_that_changed_since_it_was_read_is_not_removed
        an_insert_overwrites_nothing
        an_address_is_taken_once_in_a_tenant
        a_username_is_taken_once_in_a_tenant
        users_without_address_and_username_are_many
        an_address_and_a_username_that_were_given_up_are_free
    }
    sessions {
        a_session_comes_with_its_user_and_its_tenant
        a_session_is_found_in_its_tenant_alone
        the_sessions_of_a_user_are_listed_oldest_first
        sessions_are_listed_of_one_user_of_one_tenant_alone
        every_field_of_a_session_comes_back
        a_session_is_updated_at_the_version_it_was_read_at
        a_removed_session_is_gone_and_may_be_removed_again
        a_session_of_another_tenant_cannot_be_changed
        a_commit_goes_through_while_the_epoch_is_the_one_it_read
        a_commit_is_stale_once_the_epoch_moved_on
        a_commit_is_stale_when_the_user_of_an_epoch_is_unknown
        pruning_removes_the_dead_and_spares_the_live
        pruning_stops_at_its_limit
        pruning_touches_one_tenant_alone
    }
    keys {
        the_key_ring_is_read_in_the_order_of_creation
        every_field_of_a_key_comes_back
        a_key_is_updated_at_the_version_it_was_read_at
        a_kid_is_taken_once
        the_installation_is_settled_once
    }
    events {
        an_event_is_stored_with_what_it_tells_of
        positions_grow_from_commit_to_commit_and_within_one
        a_subject_has_one_event_of_a_sequence
        a_sequence_is_counted_in_each_tenant
        a_refused_commit_has_no_event
        events_are_paged_by_position_and_of_one_tenant_alone
        the_last_events_are_those_of_one_tenant_alone
        a_commit_with_events_is_told_to_all_who_wait_for_news
    }
    deliveries {
        a_publisher_starts_at_the_end_of_the_log
        a_claim_has_what_is_new_in_order_and_again_until_it_is_settled
        a_claim_says_whether_its_limit_kept_something_out
        what_was_sent_does_not_come_again
        a_lease_keeps_others_out_until_it_ends
        a_lease_that_was_given_back_is_free
        a_settlement_of_a_lost_lease_does_nothing
        a_settlement_of_an_older_claim_does_nothing
        what_waits_comes_when_it_is_due
        what_waits_is_in_the_way_of_its_aggregate_alone
        what_is_behind_comes_with_the_event_in_its_way
        what_was_behind_a_sent_event_is_due_wherever_the_limit_cut
        a_parked_event_stays_until_it_is_retried
        a_parked_event_of_another_tenant_is_not_retried
        new_events_and_waiting_ones_do_not_keep_each_other_out
        publishers_come_along_apart
        progress_counts_what_is_pending_sent_and_parked
        waiting_events_are_listed_with_their_reason_and_of_one_tenant_alone
        what_a_publisher_sent_is_read_without_what_waits_and_what_is_new
        what_is_old_and_sent_to_all_expires
        a_publisher_that_is_forgotten_keeps_nothing_and_starts_anew
        racing_claims_of_two_relays_have_one_owner
    }
    erasures {
        a_removed_tenant_takes_its_events_along_but_for_those_of_the_same_commit
        a_removed_user_takes_the_events_about_it_along
        a_removed_user_takes_its_sessions_and_the_events_about_them_along
        what_waits_of_a_removed_tenant_is_gone
        what_waits_of_a_removed_user_is_not_in_the_way_of_its_last_event
        progress_counts_nothing_that_was_erased
        a_settlement_of_an_erased_event_leaves_nothing_behind
        what_is_settled_as_behind_an_erased_event_is_due
        positions_of_erased_events_are_not_used_again
        a_removal_with_a_used_sequence_is_refused
        what_is_gone_already_takes_nothing_along
        racing_settlements_and_removals_leave_nothing_behind
    }
    emptying {
        what_is_emptied_is_of_that_tenant_alone
        emptying_stops_at_its_limit_and_comes_to_an_end
        a_tenant_that_is_not_being_deleted_is_not_emptied
        of_two_that_empty_a_tenant_each_takes_what_the_other_has_not
        nothing_is_told_of_a_tenant_that_is_gone_or_about_to_be
        what_waits_of_an_emptied_tenant_goes_along
        a_tenant_that_was_emptied_in_part_takes_the_rest_along
    }
    audit {
        an_entry_says_who_did_it_and_from_where
        each_event_of_a_commit_has_its_entry
        a_refused_commit_has_no_entry
        entries_are_found_by_tenant_user_actor_and_type
        entries_are_found_by_when_it_happened
        entries_are_paged_from_the_newest_on_also_those_of_one_moment
        what_is_old_expires_and_nothing_else
        what_becomes_of_events_leaves_their_entries
        a_removed_user_leaves_the_entries_about_it
        a_removed_tenant_takes_its_entries_along_but_for_those_of_the_same_commit
    }
    mails {
        every_field_of_a_mail_comes_back
        a_mail_is_given_out_once_in_the_order_mails_are_due
        a_mail_is_not_given_out_before_it_is_due
        a_mail_that_was_taken_comes_again_once_its_time_is_over
        taking_stops_at_its_limit
        a_deferred_mail_comes_when_it_is_due_with_one_more_try
        a_mail_that_is_given_back_comes_when_it_is_due_with_no_more_tries
        a_dropped_mail_is_gone
        what_is_gone_is_neither_deferred_nor_dropped_again
        racing_takes_never_give_out_the_same_mail
        a_mail_of_a_refused_commit_is_never_given_out
        a_mail_takes_no_other_ones_place
        a_mail_of_a_tenant_that_is_gone_is_refused
        the_mails_of_all_tenants_come_from_one_queue
        a_removed_tenant_takes_its_mails_along
        racing_orders_and_removals_leave_no_mail_of_nobody
        a_removed_user_leaves_the_mails_about_it
        the_backlog_tells_how_many_wait_since_when_and_until_when
        a_commit_with_mails_is_told_to_all_who_wait_for_news_of_mails
        a_commit_without_mails_is_no_news_of_mails
    }
    mailed_tokens {
        every_field_of_a_mailed_token_comes_back
        a_mailed_token_is_found_by_its_digest_in_its_tenant_alone
        a_mailed_token_takes_the_place_of_the_one_with_the_same_id
        mailed_tokens_are_listed_of_one_user_of_one_tenant_by_their_ids
        a_spent_token_is_gone_and_may_be_spent_again
        a_token_that_is_spent_and_kept_in_one_commit_is_kept
        tokens_are_spent_and_kept_beside_a_session_that_changes
        a_refused_commit_spends_nothing_and_keeps_nothing
        a_mailed_token_of_an_unknown_user_is_refused
        a_digest_is_kept_once_in_a_tenant
        mailed_tokens_of_two_tenants_with_the_same_ids_do_not_meet
        a_removed_user_takes_its_mailed_tokens_along
        a_removed_tenant_takes_its_mailed_tokens_along
        a_mailed_token_is_pruned_once_it_is_over
        pruning_mailed_tokens_stops_at_its_limit
        racing_keepers_of_one_token_leave_one
    }
    commits {
        one_commit_writes_everything_in_it
        an_empty_commit_goes_through
        a_tenant_is_made_in_one_commit_with_what_is_in_it
        a_tenant_of_a_refused_commit_was_never_made
        a_stale_update_leaves_nothing_of_its_commit
        a_stale_epoch_leaves_nothing_of_its_commit
        a_taken_address_leaves_nothing_of_its_commit
        a_taken_domain_leaves_nothing_of_its_commit
        a_taken_kid_leaves_nothing_of_its_commit
        a_used_sequence_leaves_nothing_of_its_commit
        a_token_of_nobody_leaves_nothing_of_its_commit
    }
    races {
        of_racing_updates_of_one_version_one_wins
        of_racing_inserts_of_one_address_one_wins
        of_racing_inserts_of_one_tenant_name_one_wins
        racing_commits_that_share_nothing_all_go_through
        a_commit_that_is_dropped_is_whole_or_nothing
        a_commit_that_is_aborted_is_whole_or_nothing
        a_tenant_whose_making_is_dropped_is_whole_or_nothing
        a_read_that_is_dropped_leaves_no_trace
        racing_reads_of_two_tenants_see_each_its_own
    }
}

//! Other inputs of the same classes, by rule of docs/CORRECTNESS.md.

mod rule_01 {
    crate::cases::cases! { "siblings" "01":
        a_byte_order_mark_before_a_form, a_form_value_that_is_not_utf8, a_json_name_in_latin_1,
        a_needed_member_twice, an_api_answer_with_a_byte_order_mark, half_a_pair_in_a_needed_member_of_one_entry,
        merge_numbers_that_json_does_not_have,
    }
}

mod rule_02 {
    crate::cases::cases! { "siblings" "02":
        a_form_without_one_readable_entry, bad_entries_keep_their_body_for_replay, employee_id_in_place_of_id,
        merge_data_that_is_a_list, merge_record_with_a_null_id, the_body_chooses_the_parser,
    }
}

mod rule_03 {
    crate::cases::cases! { "siblings" "03":
        active_with_an_unreadable_termination_date, an_api_read_with_an_unreadable_date,
        an_unreadable_hire_date_is_not_missing, merge_inactive_with_an_unreadable_date,
        merge_status_of_another_type,
    }
}

mod rule_04 {
    crate::cases::cases! { "siblings" "04":
        field_ids_in_place_of_names, mapped_names_are_read, replay_after_the_names_are_mapped,
        unmapped_names_in_both_encodings, unmapped_names_with_wrapped_values,
    }
}

mod rule_05 {
    crate::cases::cases! { "siblings" "05":
        a_day_read_over_the_api, a_utc_form_of_the_zones_midnight, any_other_time_is_that_instant,
        bamboohr_date_with_a_time_and_an_offset, midnight_in_utc_with_a_cutoff_in_kolkata,
    }
}

mod rule_06 {
    crate::cases::cases! { "siblings" "06":
        deleted_in_the_second_of_a_read, merge_microseconds_before_a_whole_second,
        merge_whole_second_after_microseconds, posted_values_of_the_second_of_a_read,
        two_events_of_one_second_as_forms,
    }
}

mod rule_07 {
    crate::cases::cases! { "siblings" "07":
        a_rehire_entered_before_the_last_day, a_sync_reads_the_next_hire_date,
        merge_ended_yesterday_starts_next_month, merge_pending_pre_hire, pre_hires_in_both_encodings,
        terminated_without_a_date_hired_again,
    }
}

mod rule_08 {
    crate::cases::cases! { "siblings" "08":
        a_restart_after_the_date_passed_unseen, a_sync_finds_active_with_a_past_date, active_and_no_hire_date_known,
        active_with_a_date_after_the_hire_date, no_status_and_a_date_that_has_passed,
        pending_with_a_date_that_has_passed, the_question_is_approved, the_word_comes_through_a_restart,
    }
}

mod rule_09 {
    crate::cases::cases! { "siblings" "09":
        a_read_finds_leave_and_an_old_date, ended_days_are_compared_as_days, hired_and_ended_on_the_same_day,
        leave_after_a_rehire, merge_active_with_the_date_before, merge_inactive_with_the_date_before,
    }
}

mod rule_10 {
    crate::cases::cases! { "siblings" "10":
        a_return_approved_by_a_person_stays, a_sync_still_reads_active, bamboohr_edit_repeats_the_date,
        drift_does_not_give_it_back, hired_again_after_the_end, merge_active_again_with_the_date,
        the_date_is_withdrawn, the_timer_ended_it_and_a_rehire_is_asked, the_timer_ended_it_and_hr_is_late,
    }
}

mod rule_11 {
    crate::cases::cases! { "siblings" "11":
        bamboohr_the_other_record_is_older, contractor_ends_the_day_before, drift_finds_the_older_record,
        linked_account_replaced_in_the_settings, merge_the_other_record_is_older, missing_from_a_complete_read,
        the_other_hire_date_is_unknown,
    }
}

mod rule_12 {
    crate::cases::cases! { "siblings" "12":
        another_source_read_just_now, both_sources_say_left, disagreement_set_to_deactivate,
        drift_does_not_override_it, the_disagreement_is_approved, the_other_way_round,
    }
}

mod rule_13 {
    crate::cases::cases! { "siblings" "13":
        a_decomposed_letter, a_domain_in_punycode, a_dotless_i_is_another_letter, a_plus_address_is_another,
        a_protected_address_with_a_blank, a_renamed_domain, a_sync_with_a_trailing_tab, capitals_of_three_alphabets,
        no_break_space_and_capitals,
    }
}

mod rule_14 {
    crate::cases::cases! { "siblings" "14":
        a_deletion_spares_the_successor, a_sync_spares_the_successor, drift_spares_the_successor,
        merge_the_successor_has_the_address, the_link_is_gone_and_the_address_too, the_successor_has_the_address,
        the_timer_spares_the_successor,
    }
}

mod rule_15 {
    crate::cases::cases! { "siblings" "15":
        a_drift_fix_with_the_same_id_in_two_companies, a_linked_account_moved_to_another_company,
        a_sync_finds_the_same_id_in_two_companies, an_approval_with_the_same_id_in_two_companies,
        an_end_by_hand_with_the_same_id_in_two_companies, an_id_that_is_not_unique_is_an_error,
        bamboohr_the_same_id_in_two_companies, sessions_of_the_same_id_are_not_told_apart,
        the_same_address_in_two_companies, the_same_id_in_two_companies, the_timer_finds_the_same_id_in_two_companies,
        the_timer_stays_inside_the_company,
    }
}

mod rule_16 {
    crate::cases::cases! { "siblings" "16":
        a_sync_finds_two_rows, approved_for_both_by_name, approved_for_one_and_drift_names_the_other,
        merge_two_rows_approved_for_all, two_rows_are_one_question,
    }
}

mod rule_17 {
    crate::cases::cases! { "siblings" "17":
        a_leaver_without_an_account_is_counted, a_sync_finds_a_leaver_without_an_account,
        an_employed_person_without_an_account_is_none, merge_a_leaver_without_an_account, the_account_appears_later,
        the_timer_finds_no_account,
    }
}

mod rule_18 {
    crate::cases::cases! { "siblings" "18":
        a_deactivated_at_in_the_future, a_disabled_column_that_is_null, a_soft_deleted_row_beside_the_account,
        a_status_column_with_two_active_values, a_sync_is_blocked, a_trigger_keeps_the_flag,
        a_view_whose_trigger_does_nothing, a_view_with_an_instead_of_trigger, an_approval_is_blocked,
        drift_does_not_fix_what_is_blocked, merge_a_trigger_drops_the_update,
        row_level_security_without_an_update_policy, the_last_owner_is_protected, the_timer_is_blocked,
        the_trigger_is_dropped,
    }
}

mod rule_19 {
    crate::cases::cases! { "siblings" "19":
        a_sync_finds_it_off, an_employed_person_who_is_off_keeps_sessions, found_off_with_sessions,
        merge_found_off_with_sessions, the_timer_finds_it_off,
    }
}

mod rule_20 {
    crate::cases::cases! { "siblings" "20":
        a_trigger_raises, it_is_retried_without_the_provider, merge_ending_the_sessions_fails,
        the_facts_outlive_a_restart, the_neighbour_is_ended,
    }
}

mod rule_21 {
    crate::cases::cases! { "siblings" "21":
        a_flag_that_means_the_opposite, a_generated_flag, a_trigger_that_keeps_the_flag,
        a_view_that_cannot_be_updated, check_changes_nothing, end_sessions_that_commits,
        end_sessions_that_compares_with_one_id, end_sessions_without_the_ids, row_level_security_without_a_policy,
    }
}

mod rule_22 {
    crate::cases::cases! { "siblings" "22":
        a_full_sync_of_404s, a_page_with_status_200, an_empty_list_of_changes,
        an_updated_employee_answers_404_alone, deleted_in_the_list_of_changes, merge_an_empty_company,
        updates_in_both_encodings_meet_404,
    }
}

mod rule_23 {
    crate::cases::cases! { "siblings" "23":
        merge_withholds_every_work_email, the_employment_status_is_withheld, the_hire_date_is_withheld,
        the_status_is_withheld, the_termination_date_is_withheld, withheld_from_one_read_after_an_event,
    }
}

mod rule_24 {
    crate::cases::cases! { "siblings" "24":
        a_read_answers_401, a_read_answers_404, a_read_is_unreadable, a_refused_read_shows_at_once,
        the_question_is_approved, the_read_succeeds_later,
    }
}

mod rule_25 {
    crate::cases::cases! { "siblings" "25":
        a_path_below_webhooks_that_is_nothing, a_path_prefix, a_trailing_slash, an_unknown_source_is_counted,
        every_counter_exists_from_the_start,
    }
}

mod rule_26 {
    crate::cases::cases! { "siblings" "26":
        a_good_one_among_bad_ones, merge_only_wrong_keys, only_times_far_off, only_wrong_keys,
    }
}

mod rule_27 {
    crate::cases::cases! { "siblings" "27":
        a_staging_hook_is_not_ours, our_own_hook_fails, the_address_from_the_environment,
        the_prefix_belongs_to_our_address,
    }
}

mod rule_28 {
    crate::cases::cases! { "siblings" "28":
        a_blocked_person_has_a_reason, a_failed_delivery_has_a_reason, an_incomplete_read_has_a_reason,
        no_reason_when_all_is_well, unmapped_names_have_a_reason,
    }
}

mod rule_29 {
    crate::cases::cases! { "siblings" "29":
        a_blocked_end_by_hand, by_e_mail, by_employee_id, hr_confirms_the_unchanged_facts,
        several_rows_are_a_question, somebody_unknown, somebody_whom_hr_never_named,
    }
}

/// Returns the names of all files.
pub(super) fn listed() -> Vec<String> {
    [
        rule_01::listed(),
        rule_02::listed(),
        rule_03::listed(),
        rule_04::listed(),
        rule_05::listed(),
        rule_06::listed(),
        rule_07::listed(),
        rule_08::listed(),
        rule_09::listed(),
        rule_10::listed(),
        rule_11::listed(),
        rule_12::listed(),
        rule_13::listed(),
        rule_14::listed(),
        rule_15::listed(),
        rule_16::listed(),
        rule_17::listed(),
        rule_18::listed(),
        rule_19::listed(),
        rule_20::listed(),
        rule_21::listed(),
        rule_22::listed(),
        rule_23::listed(),
        rule_24::listed(),
        rule_25::listed(),
        rule_26::listed(),
        rule_27::listed(),
        rule_28::listed(),
        rule_29::listed(),
    ]
    .concat()
}

#[test]
fn every_rule_has_three_siblings() {
    let names = listed();
    for rule in 1..=29 {
        let of_rule = names
            .iter()
            .filter(|name| name.starts_with(&format!("{rule:02}-")));
        assert!(of_rule.count() >= 3, "rule {rule}");
    }
}

//! The contract of the SSH transport: one list of behaviours, run on an in-process SSH server and on the lab's sshd.
//!
//! What only one of the two can show stands in `in_process`, `stats_socket`, `databases` and `on_the_lab`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod bed;
mod behaviours;
mod channels;
mod databases;
mod fake_haproxy;
mod fake_mysql;
mod fake_switch;
mod in_process;
mod lab;
mod on_the_lab;
mod server;
mod stats_socket;
mod switch;
mod watched;

/// Every behaviour becomes two tests.
macro_rules! contract {
    ($($behaviour:ident),* $(,)?) => {
        mod contract_in_process {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    super::behaviours::$behaviour(&super::bed::Bed::in_process()).await;
                }
            )*
        }
        mod contract_on_the_lab {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    if let Some(bed) = super::lab::bed("web01").await {
                        super::behaviours::$behaviour(&bed).await;
                    }
                }
            )*
        }
    };
}

contract!(
    exit_codes_come_back,
    standard_error_comes_apart,
    words_arrive_as_they_were_given,
    standard_input_is_empty,
    any_bytes_come_back_unchanged,
    a_big_answer_is_cut_while_others_go_on,
    a_flood_does_not_stop_the_others,
    a_slow_answer_meets_its_deadline_and_the_next_is_right,
    forged_markers_do_not_desynchronise_the_shell,
    many_channels_wait_for_their_turn,
    invariant_5_a_write_is_refused_before_anything_is_sent,
    a_changed_host_key_is_refused,
    a_revoked_host_key_is_refused,
    an_unknown_host_key_waits_for_the_operator,
    a_refused_host_key_is_asked_about_again_on_request,
    a_refused_login_names_what_was_tried,
    an_encrypted_key_asks_for_its_passphrase_once,
    an_encrypted_key_without_passphrase_stays_down,
    an_agent_logs_in_and_may_vanish,
    a_missing_socket_is_named,
    a_lost_connection_comes_back,
    a_shutdown_ends_every_connection,
);

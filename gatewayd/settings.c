#include "settings.h"

#include "confine/confine.h"
#include "monitor/monitor.h"
#include "pipeline/message.h"
#include "pipeline/tags.h"
#include "schema/clock_watch.h"

#include <stddef.h>

#define AT(field) offsetof(struct settings, field)
#define MIB       ((int64_t)1 << 20)
#define GIB       ((int64_t)1 << 30)
#define MINUTE    ((int64_t)60000)
#define DAY       (1440 * MINUTE)

/* Address space that the helper needs for itself. */
#define TNEF_PROGRAM (16 * MIB)

static const char *const levels[] = {"debug", "info", "warning", "error", NULL};

/* clang-format off */
const struct sg_option settings_options[] = {
    {"gateway", "node", SG_OPT_STRING, AT(node), NULL, 0, 0, NULL,
     "Name of this node, unique on the platform; stands in the journal and the retention log."},
    {"gateway", "hostname", SG_OPT_STRING, AT(hostname), NULL, 0, 0, NULL,
     "Name used in greetings, Received fields and notices."},
    {"gateway", "spool_dir", SG_OPT_STRING, AT(spool_dir), NULL, 0, 0, NULL,
     "Directory of the unlinked files of large messages."},
    {"gateway", "stop_grace", SG_OPT_DURATION, AT(stop_ms), "30s", 0, 10 * MINUTE, NULL,
     "How long messages in flight may take to finish at an orderly stop; what hangs for 5 s longer is cut off. Less than "
     "the service manager's time (TimeoutStopSec)."},
    {"gateway", "registry", SG_OPT_INT, AT(registry), "20000", 100, 10000000, NULL,
     "Messages that are remembered in memory to recognise Postfix's retries."},
    {"gateway", "registry_recipients", SG_OPT_INT, AT(registry_recipients), "8", 1, 1000, NULL,
     "Recipients of each of them on the average; of more, those used last are remembered."},
    SG_MONITOR_OPTION(AT(ops_listen)),
    SG_CONFINE_OPTION(AT(confine)),
    {"log", "level", SG_OPT_ENUM, AT(log_level), "info", 0, 0, levels,
     "The least level that is logged."},
    SG_CLOCK_WATCH_OPTIONS(AT(clock_interval_ms), AT(clock_tolerance_ms), AT(clock_grace_ms)),
    {"clock", "file", SG_OPT_STRING, AT(clock_file), "", 0, 0, NULL,
     "Test builds alone: a file with an offset to real time in seconds."},

    {"database", "conninfo", SG_OPT_STRING, AT(conninfo), NULL, 0, 0, NULL,
     "libpq's connection string, without a password."},
    {"database", "password_file", SG_OPT_STRING, AT(password_file), "", 0, 0, NULL,
     "File or credential: with the password of the role."},
    {"database", "connections", SG_OPT_INT, AT(db_connections), "16", 1, 1000, NULL,
     "Connections at most."},
    {"database", "wait", SG_OPT_DURATION, AT(db_wait_ms), "5s", 100, MINUTE, NULL,
     "How long to wait for a connection; of several hosts in conninfo each has its share."},
    {"database", "statement_timeout", SG_OPT_DURATION, AT(db_statement_ms), "30s", 100, 10 * MINUTE, NULL,
     "How long a statement may take."},

    {"cache", "entries", SG_OPT_INT, AT(cache_entries), "100000", 0, 10000000, NULL,
     "What is kept of the configuration, such as domains, policies and certificates: about six for a domain "
     "that sends; 0: nothing, each message asks the database."},
    {"cache", "memory", SG_OPT_SIZE, AT(cache_bytes), "64m", 0, 64 * GIB, NULL,
     "Memory for it; what was not used for longest goes first."},
    {"cache", "lifetime", SG_OPT_DURATION, AT(cache_lifetime_ms), "30s", 0, 10 * MINUTE, NULL,
     "So long nothing is used without the server having said, by its own count, that its table was not changed. "
     "It is asked three times in it. Where it does not count (track_counts), what is as old is read again. "
     "Changes count at once. Accredited roots, directories and the egress networks are read again when they are as old."},

    {"hsm", "socket", SG_OPT_STRING, AT(hsm_socket), NULL, 0, 0, NULL,
     "hsmd's socket, as unix:PATH."},
    {"hsm", "connections", SG_OPT_INT, AT(hsm_connections), "16", 1, 1000, NULL,
     "Connections to hsmd at most."},
    {"hsm", "timeout", SG_OPT_DURATION, AT(hsm_timeout_ms), "10s", 100, 5 * MINUTE, NULL,
     "How long an operation may take."},

    {"outbound", "listen", SG_OPT_STRING, AT(outbound), NULL, 0, 0, NULL,
     "LMTP listener behind the content filter of Postfix \"out\": inet:HOST:PORT or unix:PATH."},
    {"inbound", "listen", SG_OPT_STRING, AT(inbound), NULL, 0, 0, NULL,
     "LMTP listener behind Postfix \"in\"."},
    {"inbound", "subject_tags", SG_OPT_STRING, AT(subject_tags),
     "[signed OK], [verified], [SEEMail], [SecureMail]", 0, 0, NULL,
     "Tags that the Subject of mail from outside loses unless it is verified; empty: none."},
    {"inbound", "failure_time", SG_OPT_DURATION, AT(failure_ms), "20ms", 0, 10 * 1000, NULL,
     "Mail that was sealed to us and does not pass is answered no sooner than so long after its end, so that the "
     "time does not tell what was wrong with it. More than the work takes; 0: as soon as it is done."},
    {"inbound", "failure_time_mib", SG_OPT_DURATION, AT(failure_each_ms), "50ms", 0, 10 * 1000, NULL,
     "… and so much later for each MiB of it."},
    {"bounce", "listen", SG_OPT_STRING, AT(bounce), NULL, 0, 0, NULL,
     "LMTP listener that takes what Postfix \"in\" makes itself."},
    {"policy", "listen", SG_OPT_STRING, AT(policy), NULL, 0, 0, NULL,
     "Policy service asked by Postfix \"out\"."},

    {"recipients", "listen", SG_OPT_STRING, AT(recipients), NULL, 0, 0, NULL,
     "Policy service asked by Postfix \"in\" at RCPT."},
    {"recipients", "verify", SG_OPT_BOOL, AT(verify), "yes", 0, 0, NULL,
     "Is the recipient's own server asked whether it knows him; no: all are let in."},
    {"recipients", "unasked", SG_OPT_LIST, AT(unasked), "postmaster abuse", 0, 0, NULL,
     "Local parts that are always let in (RFC 5321 §4.5.1, RFC 2142), as the ping address is."},
    {"recipients", "deadline", SG_OPT_DURATION, AT(ask_ms), "2s", 100, 30000, NULL,
     "How long a question may take; then the recipient is let in."},
    {"recipients", "pause", SG_OPT_DURATION, AT(pause_ms), "1m", 0, 60 * MINUTE, NULL,
     "How long a server that could not be asked is left alone."},
    {"recipients", "slots", SG_OPT_INT, AT(ask_slots), "4", 1, 1000, NULL,
     "Questions to one server at the same time, beside its [client] slots."},
    {"recipients", "questions", SG_OPT_INT, AT(questions), "600", 1, 1000000, NULL,
     "Questions to one server in a minute; beyond them recipients are let in."},
    {"recipients", "unknown", SG_OPT_INT, AT(unknown), "100", 1, 1000000, NULL,
     "Unknown recipients of one client in ten minutes; then it gets 450 for whom it has not asked."},
    {"recipients", "remembered", SG_OPT_INT, AT(remembered), "100000", 1, 10000000, NULL,
     "Answers that are remembered, at about 70 bytes each."},
    {"recipients", "servers", SG_OPT_INT, AT(known_servers), "4096", 1, 1000000, NULL,
     "Servers of which it is known how often they were asked, and whether they are left alone: those used last, at about "
     "70 bytes each. As many as there are next hops."},
    {"recipients", "clients", SG_OPT_INT, AT(known_clients), "4096", 1, 10000000, NULL,
     "Clients whose unknown recipients are counted, likewise."},
    {"recipients", "remember_known", SG_OPT_DURATION, AT(known_ms), "1h", 0, 7 * DAY, NULL,
     "How long a known recipient is remembered."},
    {"recipients", "remember_unknown", SG_OPT_DURATION, AT(unknown_ms), "5m", 0, 7 * DAY, NULL,
     "How long an unknown one is."},

    {"policy", "rule_off", SG_OPT_STRING, AT(rule_off), "", 0, 0, NULL,
     "Test builds alone: a rule that is passed over."},

    {"limits", "connections", SG_OPT_INT, AT(max_connections), "100", 1, 10000, NULL,
     "Connections to one listener at the same time; more get 421."},
    {"limits", "waiting_share", SG_OPT_INT, AT(waiting_share), "25", 1, 100, NULL,
     "Of a listener's connections, how many of a hundred may wait at the same time while another part of the same "
     "message is delivered (its domains come one by one); further parts are deferred."},
    {"limits", "waiting_each", SG_OPT_INT, AT(waiting_each), "8", 1, 1000, NULL,
     "… and how many for one message: it is one whose delivery hangs."},
    {"limits", "waiting_time", SG_OPT_DURATION, AT(waiting_ms), "1m", 100, 60 * MINUTE, NULL,
     "How long; then the part is deferred."},
    {"limits", "recipients", SG_OPT_INT, AT(max_recipients), "1000", 1, SG_MESSAGE_RECIPIENTS_MAX, NULL,
     "Recipients of one transaction; no more than a record of the journal has room for."},
    {"limits", "errors", SG_OPT_INT, AT(max_errors), "20", 1, 1000, NULL,
     "Bad commands before a connection is closed."},
    {"limits", "command_bytes", SG_OPT_SIZE, AT(line_bytes), "8k", 8192, 65536, NULL,
     "Length of a command line. Postfix hands on what a client said at HELO: 2048 octets, three for each."},
    {"limits", "command_timeout", SG_OPT_DURATION, AT(command_ms), "5m", 100, 60 * MINUTE, NULL,
     "Time for a command."},
    {"limits", "data_timeout", SG_OPT_DURATION, AT(data_ms), "10m", 100, 60 * MINUTE, NULL,
     "Time for a message's data."},
    {"limits", "message_time", SG_OPT_DURATION, AT(message_ms), "9m", 100, 60 * MINUTE, NULL,
     "Time for a message: after it no further delivery of it is begun, and the rest is deferred. Less than Postfix waits "
     "(lmtp_data_done_timeout)."},
    {"limits", "message_cpu", SG_OPT_DURATION, AT(message_cpu_ms), "20s", 10, 60 * MINUTE, NULL,
     "CPU time to open a message for one of its domains, and again to look for trigger words in it: what takes more counts "
     "as not supported, or not readable."},
    {"limits", "crash_wait", SG_OPT_DURATION, AT(crash_wait_ms), "10m", 0, DAY, NULL,
     "How long a message (or held mail, a notice) on which gatewayd crashed a second time is put off; it doubles from crash "
     "to crash. 0: nothing is put off."},
    {"limits", "crash_wait_most", SG_OPT_DURATION, AT(crash_most_ms), "1d", 0, 30 * DAY, NULL,
     "The longest of these waits."},
    {"limits", "message", SG_OPT_SIZE, AT(message_bytes), "100m", 65536, 2 * GIB, NULL,
     "Size of a message; sealed mail is about 1.4 times its content."},
    {"limits", "message_memory", SG_OPT_SIZE, AT(memory_bytes), "256k", 4096, GIB, NULL,
     "What of a message is kept in memory; the rest goes to the spool directory."},
    {"limits", "shared_memory", SG_OPT_SIZE, AT(shared_bytes), "16m", 0, 64 * GIB, NULL,
     "What messages may keep in memory beyond that, all together, as long as there is some left."},
    {"limits", "shared_memory_each", SG_OPT_SIZE, AT(shared_each), "2m", 0, GIB, NULL,
     "… and one of the at most three forms that a message has at once."},
    {"limits", "header", SG_OPT_SIZE, AT(header_bytes), "256k", 4096, 16 * MIB, NULL,
     "Size of a header."},
    {"limits", "header_fields", SG_OPT_INT, AT(header_fields), "2000", 10, 100000, NULL,
     "Fields of a header."},
    {"limits", "from_mailboxes", SG_OPT_INT, AT(max_from), "100", 1, 10000, NULL,
     "Mailboxes of From that are looked up; mail from outside with more is from nobody, and warned of as a member's would be."},
    {"limits", "cms", SG_OPT_SIZE, AT(cms_bytes), "1m", 65536, 64 * MIB, NULL,
     "Size of a CMS structure without its content."},
    {"limits", "layers", SG_OPT_INT, AT(layers), "8", 1, 32, NULL,
     "S/MIME layers of a message."},
    {"limits", "certificates", SG_OPT_INT, AT(max_certificates), "64", 1, 10000, NULL,
     "Certificates of a message that are looked at; a signature with more is one that we do not do."},
    {"limits", "certificate_elements", SG_OPT_INT, AT(max_elements), "256", 64, 100000, NULL,
     "Elements (X.690) of each of them on the average, and of sixteen where fewer may be: a signature with more than all of "
     "them may have together, likewise."},
    {"limits", "signers", SG_OPT_INT, AT(max_signers), "16", 1, 1000, NULL,
     "Signers of one signature, likewise."},
    {"limits", "envelope_keys", SG_OPT_INT, AT(max_tries), "16", 1, 1000, NULL,
     "Keys that are tried to open one envelope: each is an operation of the HSM."},

    {"trigger", "parts", SG_OPT_INT, AT(trigger_parts), "2000", 1, 1000000, NULL,
     "MIME parts of a message in which trigger words are looked for; the rest is read as plain lines, and the message counts as undecodable."},
    {"trigger", "depth", SG_OPT_INT, AT(trigger_depth), "32", 1, 64, NULL,
     "Multiparts and messages within each other, likewise."},
    {"trigger", "header", SG_OPT_SIZE, AT(trigger_header_bytes), "64k", 1024, 16 * MIB, NULL,
     "Size of a part's header, likewise."},
    {"trigger", "text", SG_OPT_SIZE, AT(trigger_text_bytes), "256m", 1024, 64 * GIB, NULL,
     "Decoded text of a message that is read; what is beyond is not, and the message counts as undecodable."},
    {"trigger", "rtf_depth", SG_OPT_INT, AT(trigger_rtf_depth), "256", 1, 65536, NULL,
     "Groups of an RTF text within each other."},

    {"reentry", "host", SG_OPT_STRING, AT(reentry_host), "127.0.0.1", 0, 0, NULL,
     "Where Postfix \"out\" takes mail back without filtering it."},
    {"reentry", "port", SG_OPT_INT, AT(reentry_port), NULL, 1, 65535, NULL,
     "Its port."},
    {"reentry", "sealed_host", SG_OPT_STRING, AT(sealed_host), "127.0.0.1", 0, 0, NULL,
     "Where it takes back sealed mail, which it sends into the egress networks alone."},
    {"reentry", "sealed_port", SG_OPT_INT, AT(sealed_port), NULL, 1, 65535, NULL,
     "Its port."},

    {"reentry", "slot_wait", SG_OPT_DURATION, AT(reentry_wait_ms), "20s", 100, 10 * MINUTE, NULL,
     "How long to wait for one of as many connections to it as a next hop has slots."},

    {"client", "helper", SG_OPT_STRING, AT(courier_helper), "/usr/libexec/sealgate/sealgate-courier", 0, 0,
     NULL, "The program that brings mail to next hops and to re-entry; it outlives a gatewayd that is killed."},
    {"client", "helper_timeout", SG_OPT_DURATION, AT(courier_alive_ms), "30s", 1000, 10 * MINUTE, NULL,
     "One that gives no sign of life for so long is killed, and another started: mail in its hands is deferred."},
    {"client", "slots", SG_OPT_INT, AT(slots), "10", 1, 1000, NULL,
     "Connections to one next hop of a tenant at the same time."},
    {"client", "connections", SG_OPT_INT, AT(shared_connections), "80", 0, 10000, NULL,
     "Connections to all next hops at the same time: each may have half of what is left, so that some that hang "
     "leave something for the others, and those of one tenant half of all of them. Fewer than Postfix \"in\" has processes for gatewayd; 0: no limit."},
    {"client", "slot_wait", SG_OPT_DURATION, AT(slot_wait_ms), "2s", 0, 10 * MINUTE, NULL,
     "How long to wait for a slot; where it would take longer, as it was of late, mail is deferred at once."},
    {"client", "connect_timeout", SG_OPT_DURATION, AT(connect_ms), "15s", 100, 5 * MINUTE, NULL,
     "Time to connect to a next hop."},
    {"client", "command_timeout", SG_OPT_DURATION, AT(client_command_ms), "60s", 100, 10 * MINUTE, NULL,
     "Time for a reply of a next hop."},
    {"client", "data_timeout", SG_OPT_DURATION, AT(client_data_ms), "5m", 100, 60 * MINUTE, NULL,
     "Time for all commands of a message together, for its data, and for the reply to it."},
    {"client", "idle", SG_OPT_DURATION, AT(idle_ms), "5s", 0, 5 * MINUTE, NULL,
     "How long a connection is kept for the next message."},

    {"submission", "key_file", SG_OPT_STRING, AT(submission_key), NULL, 0, 0, NULL,
     "Key of the submission proof: 64 hexadecimal digits."},
    {"submission", "previous_key_file", SG_OPT_STRING, AT(submission_previous), "", 0, 0, NULL,
     "The key before, still accepted."},
    {"submission", "lifetime", SG_OPT_DURATION, AT(submission_age_ms), "6d", MINUTE, 60 * DAY, NULL,
     "How long a proof holds: the queue's lifetime and a day."},

    {"journal", "dir", SG_OPT_STRING, AT(journal_dir), NULL, 0, 0, NULL,
     "Directory of the journal, on mirrored storage."},
    {"journal", "segment", SG_OPT_SIZE, AT(segment_bytes), "256m", MIB, 64 * GIB, NULL,
     "Size at which a new segment is begun."},
    {"journal", "append_timeout", SG_OPT_DURATION, AT(append_ms), "30s", 100, 10 * MINUTE, NULL,
     "How long a message waits for the disk."},
    {"journal", "feed_interval", SG_OPT_DURATION, AT(feed_ms), "500ms", 10, MINUTE, NULL,
     "At most this long until a record is in PostgreSQL."},
    {"journal", "feed_batch", SG_OPT_INT, AT(feed_batch), "500", 1, 100000, NULL,
     "Records fed in one transaction."},
    {"journal", "unreadable_wait", SG_OPT_DURATION, AT(unreadable_ms), "2m", 1000, 60 * MINUTE, NULL,
     "So long what the disk cannot read of the journal is tried again before it is passed over; at "
     "a start mail waits for it."},

    {"ping", "local_part", SG_OPT_STRING, AT(ping_local_part), "secure-email-ping", 0, 0, NULL,
     "Local part of the address at which every domain answers a ping (REQ-96)."},
    {"ping", "agencies", SG_OPT_INT, AT(ping_agencies), "1000", 0, 100000, NULL,
     "How many SEEMail agencies an answer lists at most (REQ-99)."},

    {"request", "repeat", SG_OPT_DURATION, AT(request_repeat_ms), "12h", 0, 30 * DAY, NULL,
     "A partner whose certificate is not to be had is asked for it by mail once in so long, for all "
     "who wait (REQ-44); 0: never."},
    {"request", "answer_every", SG_OPT_DURATION, AT(request_answer_ms), "10m", 0, 30 * DAY, NULL,
     "A partner's own requests are answered once in so long, by each domain."},
    {"request", "age", SG_OPT_DURATION, AT(request_age_ms), "1d", 60000, 30 * DAY, NULL,
     "A request that was signed longer ago is not answered, nor one that was signed no later than "
     "one that was."},
    {"request", "size", SG_OPT_SIZE, AT(request_bytes), "1m", 4096, GIB, NULL,
     "What of an answer is read; certificates beyond it are not seen."},
    {"request", "parts", SG_OPT_INT, AT(request_parts), "64", 1, 100000, NULL,
     "MIME parts of an answer in which certificates are looked for."},
    {"request", "depth", SG_OPT_INT, AT(request_depth), "8", 0, 64, NULL,
     "Multiparts within each other in an answer."},
    {"request", "certificates", SG_OPT_INT, AT(request_certificates), "32", 1, 10000, NULL,
     "Certificates that are taken out of an answer, those of CAs among them."},

    {"simulation", "listen", SG_OPT_STRING, AT(simulation), "", 0, 0, NULL,
     "Where apid asks for dry runs: unix:PATH; empty: there are none."},
    {"simulation", "at_once", SG_OPT_INT, AT(simulation_at_once), "4", 1, 256, NULL,
     "Dry runs at a time; further ones wait."},
    {"simulation", "recipients", SG_OPT_INT, AT(simulation_recipients), "100", 1, 10000, NULL,
     "Recipients of one dry run."},

    {"hold", "retry_first", SG_OPT_DURATION, AT(hold_first_ms), "15m", 100, DAY, NULL,
     "First wait of a held message; it doubles from try to try."},
    {"hold", "retry_most", SG_OPT_DURATION, AT(hold_most_ms), "4h", 100, 7 * DAY, NULL,
     "The longest wait."},
    {"hold", "lifetime", SG_OPT_DURATION, AT(hold_life_ms), "5d", 1000, 60 * DAY, NULL,
     "After this the sender is told that the message could not be sent."},
    {"hold", "tenant_size", SG_OPT_SIZE, AT(hold_tenant_bytes), "20g", MIB, 1024 * GIB, NULL,
     "Mail of one tenant that is held or quarantined, in PostgreSQL, once for each domain that it is for. What would be beyond it stays in "
     "Postfix's queue (452 4.3.1); what is on its way at the same moment may pass it."},
    {"hold", "others", SG_OPT_DURATION, AT(hold_others_ms), "1h", 0, 7 * DAY, NULL,
     "How long held mail, notices and requests that another node had in hand are left to it, beyond the time that it "
     "had for them: that node alone knows what of them was sent before it died."},
    {"hold", "poll", SG_OPT_DURATION, AT(poll_ms), "1s", 100, MINUTE, NULL,
     "How often held mail and notices are looked through."},
    {"hold", "discover", SG_OPT_DURATION, AT(discover_ms), "1m", 100, DAY, NULL,
     "How often the certificates that held mail waits for are looked for, once for each partner."},

    {"notice", "merge", SG_OPT_DURATION, AT(notice_merge_ms), "3s", 0, 10 * MINUTE, NULL,
     "How long further recipients of a message come to its notice before it is sent."},
    {"notice", "waiting", SG_OPT_DURATION, AT(notice_waiting_ms), "4h", 0, 30 * DAY, NULL,
     "When the sender is told that the recipient's server has not taken the message yet; 0: never."},
    {"notice", "summary_lines", SG_OPT_INT, AT(notice_lines), "200", 1, 10000, NULL,
     "Messages that the summary of a storm of notices lists; it counts all."},
    {"notice", "attempts", SG_OPT_INT, AT(notice_attempts), "40", 1, 1000, NULL,
     "Tries to send a notice, at the waits of held mail; 40 are about six days."},

    {"tnef", "helper", SG_OPT_STRING, AT(tnef_helper), "/usr/libexec/sealgate/sealgate-tnef", 0, 0, NULL,
     "The program that reads TNEF (winmail.dat), one process a message."},
    {"tnef", "processes", SG_OPT_INT, AT(tnef_processes), "4", 1, 1000, NULL,
     "Helper processes at the same time; further messages wait."},
    {"tnef", "size", SG_OPT_SIZE, AT(tnef_request), "32m", 4096, GIB, NULL,
     "Size of a winmail.dat; a larger one counts as not readable."},
    {"tnef", "content", SG_OPT_SIZE, AT(tnef_answer), "64m", 4096, GIB, NULL,
     "Size of all that is read out of one."},
    {"tnef", "memory", SG_OPT_SIZE, AT(tnef_memory), "64m", 16 * MIB, 4 * GIB, NULL,
     "Address space of a helper process: at least size and 16m."},
    {"tnef", "cpu_time", SG_OPT_DURATION, AT(tnef_cpu_ms), "5s", 1000, 10 * MINUTE, NULL,
     "CPU time of a helper process, in whole seconds."},
    {"tnef", "timeout", SG_OPT_DURATION, AT(tnef_ms), "20s", 100, 10 * MINUTE, NULL,
     "Time to read a winmail.dat, the wait for a process included."},
    {"tnef", "depth", SG_OPT_INT, AT(tnef_depth), "8", 0, 64, NULL,
     "Messages within messages in a winmail.dat."},

    {"certificates", "crl_size", SG_OPT_SIZE, AT(crl_bytes), "32m", 4096, GIB, NULL,
     "Size of a revocation list."},
    {"certificates", "crl_timeout", SG_OPT_DURATION, AT(crl_ms), "10s", 100, 5 * MINUTE, NULL,
     "Time to fetch a revocation list."},
    {"certificates", "crl_total", SG_OPT_DURATION, AT(crl_total_ms), "20s", 100, 10 * MINUTE, NULL,
     "Time for all revocation lists that one judgement of a certificate needs, or the search for a partner's with all of "
     "its candidates: after it no further one is asked for; what is being fetched ends by crl_timeout."},
    {"certificates", "crl_grace", SG_OPT_DURATION, AT(crl_grace_ms), "7d", 0, 60 * DAY, NULL,
     "How long past its nextUpdate the last revocation list serves (REQ-40), unless a domain's policy "
     "says otherwise."},
    {"certificates", "crl_refresh", SG_OPT_DURATION, AT(crl_refresh_ms), "1h", 0, 30 * DAY, NULL,
     "How often a revocation list in use is asked for again in the background, so that what is revoked "
     "meanwhile is known; 0: only ahead of its nextUpdate."},
    {"certificates", "crl_retry", SG_OPT_DURATION, AT(crl_retry_ms), "30s", 100, 60 * MINUTE, NULL,
     "When a revocation list that was away is asked for again; after several failures in a row, so many times as long, ten at "
     "the most."},
    {"certificates", "crl_points", SG_OPT_INT, AT(crl_points), "8", 1, 1000, NULL,
     "Addresses of revocation lists of one certificate that are asked, in turn; each may take "
     "crl_timeout, all of a judgement crl_total."},
    {"certificates", "crl_redirections", SG_OPT_INT, AT(crl_redirections), "3", 0, 20, NULL,
     "How often the server of a list may send us on, within its host."},
    {"certificates", "own_root_waits", SG_OPT_INT, AT(own_root_waits), "32", 1, 10000, NULL,
     "Messages that may wait at the same time for revocation lists of CAs that only a domain's own root vouches "
     "for; for more, such a list counts as away."},
    {"certificates", "private_lists", SG_OPT_BOOL, AT(private_lists), "no", 0, 0, NULL,
     "Revocation lists of CAs that only a domain's own root vouches for may lie in private networks."},
    {"certificates", "decoded", SG_OPT_INT, AT(decoded), "12000", 0, 1000000, NULL,
     "Certificates that are kept decoded, at about 7 KiB each: those used last. One for each domain that sends often."},
    {"certificates", "verdicts", SG_OPT_INT, AT(verdicts), "32000", 0, 1000000, NULL,
     "Certificates found good that are not judged again for each message, at about half a KiB each: those used last. A "
     "domain's own takes one, and a partner's two."},
    {"certificates", "verdict_lifetime", SG_OPT_DURATION, AT(verdict_ms), "60s", 0, 10 * MINUTE, NULL,
     "For how long at most. A new revocation list, or another CA that is trusted, ends it at once."},
    {"certificates", "harvested", SG_OPT_INT, AT(harvested), "32000", 0, 1000000, NULL,
     "Partners' certificates in their mail that are not stored again for each message, at 56 octets each, for six hours: "
     "those used last. A partner takes one for each way in which domains here rely on him."},
    {"certificates", "crl_memory", SG_OPT_SIZE, AT(crl_memory), "256m", MIB, 64 * GIB, NULL,
     "Memory for revocation lists; those that do not fit in are read again from the database."},
    {"certificates", "crl_lists", SG_OPT_INT, AT(crl_lists), "1024", 1, 100000, NULL,
     "Revocation lists of which something is kept in memory, be it that one is away; likewise."},
    {"certificates", "ldap_timeout", SG_OPT_DURATION, AT(ldap_ms), "3s", 100, MINUTE, NULL,
     "Time for a directory's answer."},
    {"certificates", "ldap_more", SG_OPT_DURATION, AT(ldap_more_ms), "250ms", 0, MINUTE, NULL,
     "How long the other directories are waited for once one has brought something, within that time."},
    {"certificates", "ldap_slots", SG_OPT_INT, AT(ldap_slots), "4", 1, 100, NULL,
     "Questions to one directory at the same time, each over a connection of its own."},
    {"certificates", "ldap_waiting", SG_OPT_INT, AT(ldap_waiting), "256", 1, 100000, NULL,
     "Questions that may wait for one of these; for more, the directory counts as away."},
    {"certificates", "ldap_pause", SG_OPT_DURATION, AT(ldap_pause_ms), "5s", 0, 60 * MINUTE, NULL,
     "How long a directory that failed three times in a row is left alone; then one question tries it."},
    {"certificates", "ldap_refused_pause", SG_OPT_DURATION, AT(ldap_refused_ms), "1m", 0, DAY, NULL,
     "How long one is that refused our name and password: some lock accounts after several attempts."},
    {"certificates", "ldap_certificates", SG_OPT_INT, AT(ldap_certificates), "32", 1, 10000, NULL,
     "Certificates that are taken out of one answer of a directory, and the CAs that one may have (pkiCA)."},
    {"certificates", "ldap_size", SG_OPT_SIZE, AT(ldap_bytes), "1m", 4096, GIB, NULL,
     "Size of one answer of a directory."},
    {"certificates", "credentials_dir", SG_OPT_STRING, AT(credentials_dir), "", 0, 0, NULL,
     "Where the passwords lie that directories' rows name, one file each. Empty: systemd's credentials."},
    {"certificates", "clock_tolerance", SG_OPT_DURATION, AT(tolerance_ms), "5m", 0, DAY, NULL,
     "Difference of clocks that is tolerated in validity."},
};
/* clang-format on */

const size_t settings_option_count = sizeof settings_options / sizeof settings_options[0];

bool settings_check(void *settings, struct sg_error *err)
{
    const struct settings *s = settings;
    if (s->memory_bytes > s->message_bytes)
        return sg_fail(err, SG_E_CONFIG, "message_memory is larger than message in [limits]");
    if (s->hold_first_ms > s->hold_most_ms)
        return sg_fail(err, SG_E_CONFIG, "retry_first is longer than retry_most in [hold]");
    if (s->crash_wait_ms > s->crash_most_ms)
        return sg_fail(err, SG_E_CONFIG, "crash_wait is longer than crash_wait_most in [limits]");
    if (s->tnef_memory - s->tnef_request < TNEF_PROGRAM)
        return sg_fail(err, SG_E_CONFIG, "memory is less than size and 16m in [tnef]");
    if (!sg_tags_valid(s->subject_tags))
        return sg_fail(err, SG_E_CONFIG,
                       "subject_tags in [inbound] is no list of words in brackets");
    return sg_monitor_address_check(s->ops_listen, err);
}

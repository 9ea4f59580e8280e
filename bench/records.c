/* bench/records.c - see records.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/records.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "bench/chance.h"

/* --- the fields of templates --------------------------------------------------------------------
 */

enum { FIELD_SIZE = 64, TEXT_SIZE = 256 };

struct fields {
    char local[FIELD_SIZE];
    char domain[FIELD_SIZE];
    char tenant[FIELD_SIZE];
    char campaign[FIELD_SIZE];
    char number[FIELD_SIZE];
    char id[FIELD_SIZE];
    char seconds[FIELD_SIZE];
    char fraction[FIELD_SIZE]; /* of the second, six digits */
    char iso[FIELD_SIZE];      /* 2026-01-12T08:00:00 */
    char day[FIELD_SIZE];      /* 2026-01-12 08:00:00 */
    char syslog[FIELD_SIZE];   /* Jan 12 08:00:00 */
    char date[FIELD_SIZE];     /* Mon, 12 Jan 2026 08:00:00 +0000 */
    char recipient[2 * FIELD_SIZE];
    char mx[2 * FIELD_SIZE];
    char ip[FIELD_SIZE];
    char code[FIELD_SIZE];
    char enhanced[FIELD_SIZE]; /* 5.1.1 */
    char major[FIELD_SIZE];    /* its 5, and so on */
    char subject[FIELD_SIZE];
    char detail[FIELD_SIZE];
    char native[FIELD_SIZE]; /* PowerMTA's category */
    char class_[FIELD_SIZE]; /* Momentum's */
    char words[TEXT_SIZE];
};

#define FIELD(name, member)                                                                        \
    {                                                                                              \
        name, offsetof(struct fields, member)                                                      \
    }

static const struct {
    const char *name;
    size_t offset;
} FIELDS[] = {
    FIELD("local", local),
    FIELD("domain", domain),
    FIELD("tenant", tenant),
    FIELD("campaign", campaign),
    FIELD("number", number),
    FIELD("id", id),
    FIELD("seconds", seconds),
    FIELD("fraction", fraction),
    FIELD("iso", iso),
    FIELD("day", day),
    FIELD("syslog", syslog),
    FIELD("date", date),
    FIELD("recipient", recipient),
    FIELD("mx", mx),
    FIELD("ip", ip),
    FIELD("code", code),
    FIELD("enhanced", enhanced),
    FIELD("major", major),
    FIELD("subject", subject),
    FIELD("detail", detail),
    FIELD("native", native),
    FIELD("class", class_),
    FIELD("words", words),
};

enum { FIELD_COUNT = sizeof(FIELDS) / sizeof(FIELDS[0]) };

static struct span field_of(const struct fields *fields, struct span name)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (span_equal(span_of(FIELDS[i].name), name)) {
            return span_of((const char *)fields + FIELDS[i].offset);
        }
    }
    CHECK(!"a template names a field that there is");
    return SPAN_NONE;
}

/* Behind a `$`. */
static struct span take_name(struct span *text)
{
    size_t size = 0;
    while (size < text->size && text->data[size] >= 'a' && text->data[size] <= 'z') {
        size++;
    }
    const struct span name = {text->data, size};
    *text = span_skip(*text, size);
    return name;
}

static void put_escaped(struct writer *out, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') {
            put_u8(out, '\\');
        }
        put_u8(out, (uint8_t)text.data[i]);
    }
}

/* `body`: what an envelope holds, SPAN_NONE elsewhere. */
static void put_template(struct writer *out,
                         const char *template,
                         const struct fields *fields,
                         struct span body)
{
    struct span rest = span_of(template);
    while (rest.size > 0) {
        const size_t size = span_find(rest, SPAN("$"));
        put_bytes(out, (struct span){rest.data, size});
        rest = span_skip(rest, size);
        if (rest.size > 0) {
            rest = span_skip(rest, 1);
            const struct span name = take_name(&rest);
            if (span_equal(name, SPAN("body"))) {
                put_escaped(out, body);
            } else {
                put_bytes(out, field_of(fields, name));
            }
        }
    }
}

/* --- what happened ------------------------------------------------------------------------------
 */

struct outcome {
    const char *code;
    const char *enhanced; /* of three digits */
    const char *native;
    const char *class_;
    const char *words; /* a template */
};

/* clang-format off */
static const struct outcome DELIVERED[] = {
    {"250", "2.0.0", "", "", "Ok: queued as $id"},
    {"250", "2.0.0", "", "", "OK  $seconds $id - gsmtp"},
    {"250", "2.6.0", "", "", "Message queued for delivery, id $id, hostname $mx"},
};
static const struct outcome DEFERRED[] = {
    {"451", "4.7.1", "policy-related", "70", "<$recipient>: Recipient address rejected: Greylisted, please try again in 300 seconds"},
    {"421", "4.7.0", "policy-related", "20", "[TSS04] Messages from 192.0.2.10 temporarily deferred due to unexpected volume"},
    {"451", "4.3.2", "other", "20", "System not accepting network messages, please try again later"},
    {"452", "4.2.2", "quota-issues", "22", "The email account that you tried to reach is over quota"},
};
static const struct outcome BOUNCED[] = {
    {"550", "5.1.1", "bad-mailbox", "10", "<$recipient>: Recipient address rejected: User unknown in virtual mailbox table"},
    {"550", "5.1.1", "bad-mailbox", "10", "The email account that you tried to reach does not exist"},
    {"552", "5.2.2", "quota-issues", "22", "The recipient's inbox is out of storage space"},
    {"550", "5.7.1", "spam-related", "51", "Message rejected as spam by content filtering, 192.0.2.10"},
    {"554", "5.7.1", "spam-related", "51", "Service unavailable; client host 192.0.2.10 blocked using a block list"},
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const DOMAINS[] = {
    "gmail.com", "yahoo.com", "outlook.com",  "hotmail.com", "icloud.com", "gmx.net",
    "web.de",    "orange.fr", "corp.example", "mail.ru",     "aol.com",    "uni.example",
};

static const char *const NAMES[] = {"anna.berg", "j.smith", "info", "m.garcia"};

static const int64_t FIRST_S = INT64_C(1768204800); /* 2026-01-12 08:00 */

static void fill_times(struct fields *fields, int64_t seconds, unsigned fraction)
{
    const time_t when = (time_t)seconds;
    struct tm tm;
    gmtime_r(&when, &tm);
    snprintf(fields->seconds, FIELD_SIZE, "%" PRId64, seconds);
    snprintf(fields->fraction, FIELD_SIZE, "%06u", fraction);
    strftime(fields->iso, FIELD_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(fields->day, FIELD_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
    strftime(fields->syslog, FIELD_SIZE, "%b %e %H:%M:%S", &tm);
    strftime(fields->date, FIELD_SIZE, "%a, %d %b %Y %H:%M:%S +0000", &tm);
}

static void fill_people(struct fields *fields, struct chance *chance)
{
    snprintf(fields->local, FIELD_SIZE, "%s.%u", NAMES[chance_below(chance, COUNT(NAMES))],
             chance_below(chance, 1000000));
    snprintf(fields->domain, FIELD_SIZE, "%s", DOMAINS[chance_below(chance, COUNT(DOMAINS))]);
    snprintf(fields->recipient, sizeof(fields->recipient), "%s@%s", fields->local, fields->domain);
    snprintf(fields->mx, sizeof(fields->mx), "mx%u.%s", chance_below(chance, 4), fields->domain);
    snprintf(fields->ip, FIELD_SIZE, "198.51.100.%u", chance_below(chance, 250));
    snprintf(fields->tenant, FIELD_SIZE, "t%u", chance_below(chance, 12));
    snprintf(fields->campaign, FIELD_SIZE, "c%u", chance_below(chance, 40));
    snprintf(fields->number, FIELD_SIZE, "%u", 1000000 + chance_below(chance, 9000000));
    snprintf(fields->id, FIELD_SIZE, "%016" PRIx64, chance_next(chance));
}

static void fill_outcome(struct fields *fields, const struct outcome *outcome)
{
    struct writer words = writer_init(fields->words, TEXT_SIZE - 1);
    snprintf(fields->code, FIELD_SIZE, "%s", outcome->code);
    snprintf(fields->enhanced, FIELD_SIZE, "%s", outcome->enhanced);
    snprintf(fields->major, FIELD_SIZE, "%c", outcome->enhanced[0]);
    snprintf(fields->subject, FIELD_SIZE, "%c", outcome->enhanced[2]);
    snprintf(fields->detail, FIELD_SIZE, "%c", outcome->enhanced[4]);
    snprintf(fields->native, FIELD_SIZE, "%s", outcome->native);
    snprintf(fields->class_, FIELD_SIZE, "%s", outcome->class_);
    put_template(&words, outcome->words, fields, SPAN_NONE);
    CHECK(!words.overflowed);
    fields->words[words.size] = '\0';
}

/* The template of what happened; its outcome is filled in. */
static const char *happen(const struct record_kind *kind,
                          struct chance *chance,
                          struct fields *fields)
{
    enum { FAILURE_IN = 10, DEFERRALS = 6 };
    const bool fails = kind->delivered == NULL || chance_below(chance, FAILURE_IN) == 0;
    const bool is_deferred =
        fails && kind->deferred != NULL && chance_below(chance, FAILURE_IN) < DEFERRALS;
    if (is_deferred) {
        fill_outcome(fields, &DEFERRED[chance_below(chance, COUNT(DEFERRED))]);
        return kind->deferred;
    }
    if (fails) {
        fill_outcome(fields, &BOUNCED[chance_below(chance, COUNT(BOUNCED))]);
        return kind->bounced;
    }
    fill_outcome(fields, &DELIVERED[chance_below(chance, COUNT(DELIVERED))]);
    return kind->delivered;
}

/* --- the kinds ----------------------------------------------------------------------------------
 */

#define SES_MAIL                                                                                   \
    "\"mail\":{\"timestamp\":\"$iso.104Z\",\"source\":\"news@shop.example.net\",\"sourceArn\":"    \
    "\"arn:aws:ses:eu-west-1:123456789012:identity/shop.example.net\",\"sendingAccountId\":"       \
    "\"123456789012\",\"messageId\":\"0102018f-aaaa-bbbb-cccc-$id-000000\",\"destination\":"       \
    "[\"$recipient\"],\"headersTruncated\":false,\"headers\":[{\"name\":\"From\",\"value\":"       \
    "\"news@shop.example.net\"},{\"name\":\"X-Tenant\",\"value\":\"$tenant\"}],"                   \
    "\"commonHeaders\":{\"from\":[\"news@shop.example.net\"],\"to\":[\"$recipient\"],"             \
    "\"messageId\":\"m-$number@shop.example.net\",\"subject\":\"Spring sale\"}"
#define SES_TAGS                                                                                   \
    ",\"tags\":{\"ses:configuration-set\":[\"prod\"],\"ses:source-ip\":[\"203.0.113.9\"],"         \
    "\"ses:from-domain\":[\"shop.example.net\"],\"ses:caller-identity\":[\"app\"],\"campaign\":"   \
    "[\"$campaign\"],\"tenant\":[\"$tenant\"]}"
#define SES_DELIVERY                                                                               \
    ",\"delivery\":{\"timestamp\":\"$iso.440Z\",\"processingTimeMillis\":2336,\"recipients\":"     \
    "[\"$recipient\"],\"smtpResponse\":\"$code $enhanced $words\",\"reportingMTA\":"               \
    "\"a7-40.smtp-out.eu-west-1.amazonses.com\",\"remoteMtaIp\":\"$ip\"}"
#define SES_DELAY                                                                                  \
    ",\"deliveryDelay\":{\"timestamp\":\"$iso.095Z\",\"delayType\":"                               \
    "\"TransientCommunicationFailure\",\"expirationTime\":\"$iso.914Z\",\"delayedRecipients\":"    \
    "[{\"emailAddress\":\"$recipient\",\"status\":\"$enhanced\",\"diagnosticCode\":"               \
    "\"smtp; $code $enhanced $words\"}],\"reportingMTA\":"                                         \
    "\"a7-40.smtp-out.eu-west-1.amazonses.com\"}"
#define SES_BOUNCE                                                                                 \
    ",\"bounce\":{\"bounceType\":\"Permanent\",\"bounceSubType\":\"General\","                     \
    "\"bouncedRecipients\":[{\"emailAddress\":\"$recipient\",\"action\":\"failed\",\"status\":"    \
    "\"$enhanced\",\"diagnosticCode\":\"smtp; $code $enhanced $words\"}],\"timestamp\":"           \
    "\"$iso.669Z\",\"feedbackId\":\"0102018f-$id-000000\",\"reportingMTA\":\"dns; $mx\"}"
#define SNS_ENVELOPE                                                                               \
    "{\"Type\":\"Notification\",\"MessageId\":\"19ba9823-d7f2-53c1-860e-$id\",\"TopicArn\":"       \
    "\"arn:aws:sns:eu-west-1:123456789012:ses-events\",\"Subject\":\"Amazon SES Email Event "      \
    "Notification\",\"Message\":\"$body\\n\",\"Timestamp\":\"$iso.100Z\",\"SignatureVersion\":"    \
    "\"1\",\"Signature\":\"EXAMPLE==\",\"SigningCertURL\":\"https://sns.example/cert.pem\","       \
    "\"UnsubscribeURL\":\"https://sns.example/unsub\"}"

#define SPARKPOST(type, fields)                                                                    \
    "{\"msys\":{\"message_event\":{\"type\":\"" type                                               \
    "\",\"event_id\":\"9235692769$number\",\"timestamp\":\"$seconds\",\"rcpt_to\":\"$recipient\"," \
    "\"raw_rcpt_to\":\"$recipient\",\"message_id\":\"$id\",\"transmission_id\":"                   \
    "\"65832150921904138\",\"campaign_id\":\"$campaign\",\"customer_id\":\"1\","                   \
    "\"subaccount_id\":\"$tenant\"," fields                                                        \
    "\"ip_address\":\"$ip\",\"ip_pool\":\"gold\",\"sending_ip\":\"198.51.100.7\","                 \
    "\"routing_domain\":\"$domain\",\"recipient_domain\":\"$domain\",\"msg_size\":\"20417\","      \
    "\"num_retries\":\"0\",\"queue_time\":\"1200\",\"rcpt_meta\":{\"order\":\"$number\"},"         \
    "\"rcpt_tags\":[],\"template_id\":\"spring\",\"template_version\":\"3\"}}}"
#define SPARKPOST_REASON                                                                           \
    "\"bounce_class\":\"$class\",\"error_code\":\"$code\",\"raw_reason\":"                         \
    "\"$code $enhanced $words\",\"reason\":\"$code $enhanced $words\","

#define SENDGRID(event, fields)                                                                    \
    "{\"email\":\"$recipient\",\"timestamp\":$seconds,\"smtp-id\":"                                \
    "\"<m-$number@shop.example.net>\",\"event\":\"" event                                          \
    "\",\"category\":[\"$campaign\"],\"sg_event_id\":\"rWVYmVk90MjZJ9iohO$id\",\"sg_message_id\":" \
    "\"$id.dfd.64b469.filter0001.16648.5515E0B88.0\"," fields                                      \
    "\"ip\":\"198.51.100.7\",\"tls\":1,\"tenant\":\"$tenant\"}"

#define MAILGUN(event, status)                                                                     \
    "{\"signature\":{\"timestamp\":\"$seconds\",\"token\":"                                        \
    "\"651869375b9df3c98fc15c4889b102119$id\",\"signature\":\"EXAMPLE\"},\"event-data\":{\"id\":"  \
    "\"$id\",\"tags\":[\"$campaign\"],\"campaigns\":[],\"user-variables\":{\"tenant\":"            \
    "\"$tenant\"},\"flags\":{\"is-routed\":false,\"is-authenticated\":true,\"is-system-test\":"    \
    "false,\"is-test-mode\":false}," event                                                         \
    ",\"timestamp\":$seconds.$fraction,\"recipient\":\"$recipient\",\"recipient-domain\":"         \
    "\"$domain\",\"log-level\":\"info\",\"envelope\":{\"sender\":"                                 \
    "\"bounce+$number@shop.example.net\",\"transport\":\"smtp\",\"sending-ip\":\"198.51.100.7\","  \
    "\"targets\":\"$recipient\"},\"message\":{\"headers\":{\"to\":\"$recipient\",\"message-id\":"  \
    "\"m-$number@shop.example.net\",\"from\":\"news@shop.example.net\",\"subject\":"               \
    "\"Spring sale\"},\"attachments\":[],\"size\":20417},\"delivery-status\":{\"mx-host\":\"$mx\"" \
    ",\"attempt-no\":1,\"description\":\"\",\"session-seconds\":0.44,\"code\":$code" status "}}}"

#define HALON(action, state, fields)                                                               \
    "{\"type\":\"delivery\",\"time\":$seconds440,\"message\":{\"id\":{\"transaction\":"            \
    "\"18c36ca5-ec80-4d58-9a3c-$id\",\"queue\":1},\"ts\":$seconds.$fraction,\"sender\":"           \
    "\"b-$number@bounce.shop.example.net\",\"senderaddress\":{\"localpart\":\"b-$number\","        \
    "\"domain\":\"bounce.shop.example.net\"},\"recipient\":\"$recipient\",\"recipientaddress\":"   \
    "{\"localpart\":\"$local\",\"domain\":\"$domain\"},\"transportid\":\"mx\",\"jobid\":"          \
    "\"$campaign\",\"size\":20417,\"metadata\":{\"tenant\":\"$tenant\"},\"from\":"                 \
    "\"news@shop.example.net\"},\"action\":\"" action                                              \
    "\",\"grouping\":\"&example\",\"retry\":0," fields                                             \
    "\"attempt\":{\"duration\":0.44,\"connection\":{\"localip\":\"198.51.100.7\",\"remoteip\":"    \
    "\"$ip\",\"remotemx\":\"$mx\",\"tls\":{\"started\":true}},\"result\":{\"state\":\"" state      \
    "\",\"code\":$code,\"enhanced\":[$major,$subject,$detail],\"reason\":[\"$words\"]}}}"
#define HALON_FLAT(status, state)                                                                  \
    "{\"type\":\"SMTP\",\"hostname\":\"halon-1\",\"eventid\":\"0b0e7b2e-0000-4000-8000-$id\","     \
    "\"messageid\":\"18c36ca5-ec80-4d58-9a3c-$id:2\",\"jobid\":\"$campaign\",\"ts_attempt\":"      \
    "$seconds.$fraction,\"ts_received\":$seconds.$fraction,\"status\":\"" status                   \
    "\",\"result_code\":$code,\"result_enhanced\":\"$enhanced\",\"result_reason\":\"$words\","     \
    "\"result_state\":\"" state                                                                    \
    "\",\"connection_localip\":\"198.51.100.7\",\"connection_remoteip\":\"$ip\","                  \
    "\"connection_remotemx\":\"$mx\",\"sender\":\"b-$number@bounce.shop.example.net\","            \
    "\"recipient_localpart\":\"$local\",\"recipient_domain\":\"$domain\",\"size\":20417}"

#define KUMOMTA(type)                                                                              \
    "{\"type\":\"" type                                                                            \
    "\",\"id\":\"$id$id\",\"sender\":\"b@news.example\",\"recipient\":\"$recipient\",\"queue\":"   \
    "\"$campaign:$tenant@$domain\",\"response\":{\"code\":$code,\"enhanced_code\":{\"class\":$"    \
    "major,"                                                                                       \
    "\"subject\":$subject,\"detail\":$detail},\"content\":\"$words\"},"                            \
    "\"peer_address\":{\"name\":\"$mx\",\"addr\":\"$ip\"},\"timestamp\":$seconds,\"event_time\":"  \
    "\"$iso.104Z\",\"num_attempts\":1}"

#define POWERMTA_HEADINGS                                                                          \
    "type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,"     \
    "srcType,srcMta,dlvType,dlvSourceIp,dlvDestinationIp,dlvEsmtpAvailable,dlvSize,vmta,jobId,"    \
    "envId,queue,vmtaPool,header_X-Tenant"
#define POWERMTA_ROW(type, action)                                                                 \
    type ",$day+0000,$day+0000,b-$number@bounce.shop.example.net,$recipient,," action              \
         ",$enhanced (success),\"smtp;$code $enhanced $words\",$mx ($ip),$native,api,"             \
         "inj1 (10.20.0.3),smtp,198.51.100.7,$ip,\"ENHANCEDSTATUSCODES,8BITMIME,SMTPUTF8\",20417," \
         "vmta7,$campaign,E-$number,$domain/vmta7,gold,$tenant"
#define POWERMTA_JSON(type, action)                                                                \
    "{\"type\":\"" type "\",\"timeLogged\":\"$day+0000\",\"timeQueued\":\"$day+0000\",\"orig\":"   \
    "\"b-$number@bounce.shop.example.net\",\"rcpt\":\"$recipient\",\"orcpt\":\"\",\"dsnAction\":"  \
    "\"" action                                                                                    \
    "\",\"dsnStatus\":\"$enhanced (success)\",\"dsnDiag\":\"smtp;$code $enhanced $words\","        \
    "\"dsnMta\":\"$mx ($ip)\",\"bounceCat\":\"$native\",\"srcType\":\"api\",\"srcMta\":"           \
    "\"inj1 (10.20.0.3)\",\"dlvType\":\"smtp\",\"dlvSourceIp\":\"198.51.100.7\","                  \
    "\"dlvDestinationIp\":\"$ip\",\"vmta\":\"vmta7\",\"jobId\":\"$campaign\",\"envId\":"           \
    "\"E-$number\",\"queue\":\"$domain/vmta7\",\"vmtaPool\":\"gold\",\"header_X-Tenant\":"         \
    "\"$tenant\"}"

#define POSTFIX(status, before, behind)                                                            \
    "$syslog mx-out1 postfix/smtp[4110]: 4XkT2m$number: to=<$recipient>, relay=$mx[$ip]:25, "      \
    "delay=2.1, delays=0.05/0.01/0.9/1.1, dsn=$enhanced, status=" status " (" before               \
    "$code $enhanced $words" behind ")"
#define POSTFIX_SAID     "host $mx[$ip] said: "
#define POSTFIX_IN_REPLY " (in reply to RCPT TO command)"
#define FILEBEAT_ENVELOPE                                                                          \
    "{\"@timestamp\":\"$iso.400Z\",\"message\":\"$body\",\"log\":{\"file\":{\"path\":"             \
    "\"/var/log/mail.log\"},\"offset\":$number},\"host\":{\"name\":\"mx-out1\"},\"agent\":"        \
    "{\"type\":\"filebeat\"},\"ecs\":{\"version\":\"8.0.0\"}}"

#define EXIM_ID     "$day 1vMabc-00000$number-0001 "
#define EXIM_FIELDS "F=<b-$number@bounce.shop.example.net> R=dnslookup T=remote_smtp H=$mx [$ip]"
#define EXIM_SAID                                                                                  \
    ": SMTP error from remote mail server after RCPT TO:<$recipient>: $code $enhanced $words"

#define MOMENTUM(type)                                                                             \
    "$seconds@91/6D-07914-$id@00/00-03736-F4101B54@00/00-04532-A3456B54@" type                     \
    "@$recipient@news@bounce.shop.example.net@gold@ip-7@4@$class@1223@$ip@$code $enhanced $words"

#define NATIVE(kind)                                                                               \
    "{\"kind\":\"" kind                                                                            \
    "\",\"recipient\":\"$recipient\",\"ts_ms\":$seconds104,\"code\":$code,\"enhanced\":"           \
    "\"$enhanced\",\"text\":\"$words\",\"message_id\":\"m-$number@shop.example.net\",\"tenant\":"  \
    "\"$tenant\",\"campaign\":\"$campaign\",\"sender\":\"b@news.example\",\"mx\":\"$mx\"}"

#define DSN(action)                                                                                \
    "Return-Path: <>\nFrom: MAILER-DAEMON@$mx\nTo: b-$number@bounce.shop.example.net\n"            \
    "Subject: Undelivered Mail Returned to Sender\nDate: $date\nMessage-ID: <$id@$mx>\n"           \
    "Auto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: multipart/report; "            \
    "report-type=delivery-status;\n\tboundary=\"=_part_$id\"\n\n--=_part_$id\n"                    \
    "Content-Type: text/plain; charset=utf-8\n\nThis is the mail system at host $mx.\n\n"          \
    "--=_part_$id\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; $mx\n"             \
    "X-Postfix-Queue-ID: 4XkT2m$number\nX-Postfix-Sender: rfc822; "                                \
    "b-$number@bounce.shop.example.net\nArrival-Date: $date\n\nFinal-Recipient: rfc822; "          \
    "$recipient\nOriginal-Recipient: rfc822;$recipient\nAction: " action                           \
    "\nStatus: $enhanced\nRemote-MTA: dns; $mx\nDiagnostic-Code: smtp; $code $enhanced\n"          \
    "    $words\n\n--=_part_$id\nContent-Type: text/rfc822-headers\n\n"                            \
    "From: news@shop.example.net\nTo: $recipient\nMessage-ID: <m-$number@shop.example.net>\n"      \
    "Subject: Spring sale\nX-Campaign: $campaign\nX-Tenant: $tenant\n\n--=_part_$id--\n"
#define ARF                                                                                        \
    "From: <fbl@isp.example>\nDate: $date\nSubject: FW: Spring sale\nTo: "                         \
    "<fbl@fbl.shop.example.net>\nMIME-Version: 1.0\nContent-Type: multipart/report; "              \
    "report-type=feedback-report;\n\tboundary=\"=_arf_$id\"\n\n--=_arf_$id\nContent-Type: "        \
    "text/plain; charset=\"US-ASCII\"\n\nThis is an email abuse report.\n\n--=_arf_$id\n"          \
    "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: ISP-FBL/2.1\n"     \
    "Version: 1\nOriginal-Envelope-Id: E-$number\nOriginal-Mail-From: "                            \
    "<b-$number@bounce.shop.example.net>\nOriginal-Rcpt-To: <$recipient>\nArrival-Date: $date\n"   \
    "Reporting-MTA: dns; mail.isp.example\nSource-IP: 198.51.100.7\nReported-Domain: "             \
    "shop.example.net\nIncidents: 1\n\n--=_arf_$id\nContent-Type: message/rfc822\n"                \
    "Content-Disposition: inline\n\nFrom: <news@shop.example.net>\nReceived: from "                \
    "out1.shop.example.net ([198.51.100.7]) by $mx with ESMTP id $id;\n $date\nTo: "               \
    "<$recipient>\nSubject: Spring sale\nMessage-ID: <m-$number@shop.example.net>\nX-Campaign: "   \
    "$campaign\nX-Tenant: $tenant\n\nbody\n\n--=_arf_$id--\n"

/* clang-format off */
static const struct record_kind KINDS[] = {
    {"kumomta", "kumomta", NULL, 1, "", "", "", NULL,
     KUMOMTA("Delivery"), KUMOMTA("TransientFailure"), KUMOMTA("Bounce")},
    {"kumomta, 50 lines", "kumomta", NULL, 50, "", "\n", "\n", NULL,
     KUMOMTA("Delivery"), KUMOMTA("TransientFailure"), KUMOMTA("Bounce")},
    {"powermta, a row", "powermta", POWERMTA_HEADINGS, 1, "", "", "", NULL,
     POWERMTA_ROW("d", "relayed"), POWERMTA_ROW("t", "delayed"), POWERMTA_ROW("b", "failed")},
    {"powermta, 50 rows", "powermta", NULL, 50, POWERMTA_HEADINGS "\n", "\n", "\n", NULL,
     POWERMTA_ROW("d", "relayed"), POWERMTA_ROW("t", "delayed"), POWERMTA_ROW("b", "failed")},
    {"powermta, JSON", "powermta", NULL, 1, "", "", "", NULL,
     POWERMTA_JSON("d", "relayed"), POWERMTA_JSON("t", "delayed"), POWERMTA_JSON("b", "failed")},
    {"postfix", "postfix", NULL, 1, "", "", "\n", NULL,
     POSTFIX("sent", "", ""), POSTFIX("deferred", POSTFIX_SAID, POSTFIX_IN_REPLY), POSTFIX("bounced", POSTFIX_SAID, POSTFIX_IN_REPLY)},
    {"postfix, Filebeat", "postfix", NULL, 1, "", "", "", FILEBEAT_ENVELOPE,
     POSTFIX("sent", "", ""), POSTFIX("deferred", POSTFIX_SAID, POSTFIX_IN_REPLY), POSTFIX("bounced", POSTFIX_SAID, POSTFIX_IN_REPLY)},
    {"exim", "exim", NULL, 1, "", "", "\n", NULL,
     EXIM_ID "=> $recipient " EXIM_FIELDS " X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes C=\"$code $enhanced $words\" QT=2s DT=1s",
     EXIM_ID "== $recipient R=dnslookup T=remote_smtp defer (-44) H=$mx [$ip]" EXIM_SAID,
     EXIM_ID "** $recipient " EXIM_FIELDS EXIM_SAID},
    {"sparkpost", "sparkpost", NULL, 1, "[", ",", "]", NULL,
     SPARKPOST("delivery", ""), SPARKPOST("delay", SPARKPOST_REASON), SPARKPOST("bounce", SPARKPOST_REASON)},
    {"momentum", "momentum", NULL, 1, "", "", "\n", NULL,
     NULL, MOMENTUM("T"), MOMENTUM("B")},
    {"ses", "ses", NULL, 1, "", "", "", NULL,
     "{\"eventType\":\"Delivery\"," SES_MAIL SES_TAGS "}" SES_DELIVERY "}",
     "{\"eventType\":\"DeliveryDelay\"," SES_MAIL SES_TAGS "}" SES_DELAY "}",
     "{\"eventType\":\"Bounce\"," SES_MAIL SES_TAGS "}" SES_BOUNCE "}"},
    {"ses, in SNS", "ses", NULL, 1, "", "", "", SNS_ENVELOPE,
     "{\"notificationType\":\"Delivery\"," SES_MAIL "}" SES_DELIVERY "}",
     NULL, "{\"notificationType\":\"Bounce\"," SES_MAIL "}" SES_BOUNCE "}"},
    {"sendgrid", "sendgrid", NULL, 1, "[", ",", "]", NULL,
     SENDGRID("delivered", "\"response\":\"$code $enhanced $words\","),
     SENDGRID("deferred", "\"response\":\"$code $enhanced $words\",\"attempt\":\"1\","),
     SENDGRID("bounce", "\"reason\":\"$code $enhanced $words\",\"status\":\"$enhanced\",\"type\":\"bounce\",")},
    {"mailgun", "mailgun", NULL, 1, "", "", "", NULL,
     MAILGUN("\"event\":\"delivered\"", ",\"message\":\"OK\""),
     MAILGUN("\"event\":\"failed\",\"severity\":\"temporary\",\"reason\":\"generic\"", ",\"enhanced-code\":\"$enhanced\",\"message\":\"$enhanced $words\""),
     MAILGUN("\"event\":\"failed\",\"severity\":\"permanent\",\"reason\":\"bounce\"", ",\"enhanced-code\":\"$enhanced\",\"message\":\"$enhanced $words\"")},
    {"halon", "halon", NULL, 1, "", "", "", NULL,
     HALON("SUCCESS", "EOD", ""), HALON("QUEUE", "RCPT", "\"delay\":300,"),
     HALON("BOUNCE", "RCPT", "\"dsn\":{\"diagnosticcode\":\"smtp; $code $enhanced $words\"},")},
    {"halon, Postmastery", "halon", NULL, 1, "", "", "", NULL,
     HALON_FLAT("delivered", "EOD"), HALON_FLAT("delayed", "RCPT"), HALON_FLAT("failed", "RCPT")},
    {"dsn", "dsn", NULL, 1, "", "", "", NULL,
     NULL, DSN("delayed"), DSN("failed")},
    {"arf", "arf", NULL, 1, "", "", "", NULL,
     NULL, NULL, ARF},
    {"native", "native", NULL, 1, "", "", "", NULL,
     NATIVE("delivered"), NATIVE("deferred"), NATIVE("bounced")},
};
/* clang-format on */

const struct record_kind *record_kind_at(size_t i)
{
    return i < COUNT(KINDS) ? &KINDS[i] : NULL;
}

static void put_event(struct writer *out, const struct record_kind *kind, uint64_t number)
{
    struct chance chance = {number};
    struct fields fields;
    char body[RECORD_SIZE_MAX / 2];
    struct writer inner = writer_init(body, sizeof(body));
    fill_people(&fields, &chance);
    fill_times(&fields, FIRST_S + (int64_t)(number / 64), chance_below(&chance, 1000000));
    const char *template = happen(kind, &chance, &fields);
    if (kind->envelope == NULL) {
        put_template(out, template, &fields, SPAN_NONE);
        return;
    }
    put_template(&inner, template, &fields, SPAN_NONE);
    CHECK(!inner.overflowed);
    put_template(out, kind->envelope, &fields, writer_span(&inner));
}

struct span record_write(const struct record_kind *kind, uint64_t i, char memory[RECORD_SIZE_MAX])
{
    struct writer out = writer_init(memory, RECORD_SIZE_MAX);
    put_bytes(&out, span_of(kind->open));
    for (unsigned k = 0; k < kind->events; k++) {
        put_bytes(&out, k == 0 ? SPAN_NONE : span_of(kind->between));
        put_event(&out, kind, i * kind->events + k);
    }
    put_bytes(&out, span_of(kind->close));
    CHECK(!out.overflowed);
    return writer_span(&out);
}

/* bench/mail.c - see mail.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/mail.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"

enum { TENANTS = 12, CAMPAIGNS = 40, SHARES = 10000, TIME_SIZE = 32, REPLY_SIZE = 256 };

#define PROBE_LOCAL_PART "probe"

/* How the mail ended, and how many of SHARES end so. Replies are worded as large providers word
 * them; one that begins with <> names the recipient there. */
struct outcome {
    unsigned share;
    const char *type;
    int code;
    int enhanced[3];
    const char *reply;
};

/* clang-format off */
static const struct outcome OUTCOMES[] = {
    {9000, "Delivery", 250, {2, 0, 0}, "OK 1768204830 29f177e5a8bsi139 - gsmtp"},
    /* deferrals: technical, full, soft */
    {180, "TransientFailure", 451, {4, 7, 1}, "<>: Recipient address rejected: Greylisted, please try again in 300 seconds"},
    {120, "TransientFailure", 421, {4, 7, 0}, "[TSS04] Messages from 192.0.2.10 temporarily deferred due to unexpected volume"},
    {90, "TransientFailure", 451, {4, 4, 1}, "KumoMTA internal: failed to connect to any candidate hosts: connection timed out"},
    {60, "TransientFailure", 451, {4, 3, 2}, "System not accepting network messages, please try again later"},
    {100, "TransientFailure", 452, {4, 2, 2}, "The email account that you tried to reach is over quota"},
    {30, "TransientFailure", 450, {4, 1, 1}, "<>: Recipient address rejected: User unknown in local recipient table"},
    /* refusals: hard, full, block, unknown */
    {150, "Bounce", 550, {5, 1, 1}, "<>: The email account that you tried to reach does not exist"},
    {20, "Bounce", 550, {5, 2, 1}, "The email account that you tried to reach is inactive"},
    {10, "Bounce", 550, {5, 1, 2}, "<>: Recipient address rejected: Domain not found"},
    {60, "Bounce", 552, {5, 2, 2}, "The recipient's inbox is out of storage space"},
    {70, "Bounce", 550, {5, 7, 1}, "Message rejected as spam by content filtering, 192.0.2.10"},
    {30, "Bounce", 554, {5, 7, 1}, "Service unavailable; client host 192.0.2.10 blocked using a block list"},
    {20, "Bounce", 550, {5, 0, 0}, "Requested action not taken"},
    /* the MTA gave up; it came back later; a complaint */
    {40, "Expiration", 551, {5, 4, 7}, "KumoMTA internal: Next delivery time would be at 2026-01-14T08:00:00Z which exceeds the expiry time"},
    {10, "OOB", 550, {5, 1, 1}, "smtp; 550 5.1.1 user unknown"},
    {10, "Feedback", 0, {0, 0, 0}, ""},
};
/* clang-format on */

static const struct outcome PROBE = {
    0, "Bounce", 550, {5, 1, 1}, "<>: The email account that you tried to reach does not exist"};

static const char *const DOMAINS[] = {
    "gmail.com", "yahoo.com", "outlook.com",  "hotmail.com", "icloud.com", "gmx.net",
    "web.de",    "orange.fr", "corp.example", "mail.ru",     "aol.com",    "uni.example",
};

enum { DOMAIN_COUNT = sizeof(DOMAINS) / sizeof(DOMAINS[0]) };

/* splitmix64: the same number for the same input, everywhere. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static const struct outcome *outcome_of(uint64_t chance)
{
    uint64_t left = chance % SHARES;
    const struct outcome *outcome = OUTCOMES;
    while (left >= outcome->share) {
        left -= outcome->share;
        outcome++;
    }
    return outcome;
}

static void print_time(char out[TIME_SIZE], int64_t ts_ms)
{
    const time_t seconds = (time_t)(ts_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    const size_t size = strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + size, TIME_SIZE - size, ".%03dZ", (int)(ts_ms % 1000));
}

/* What the full record has besides; KumoMTA's own order and names. */
static int print_rest(char *out, size_t size, uint64_t chance, int64_t ts_ms)
{
    const int64_t created = ts_ms / 1000 - 3;
    return snprintf(
        out, size,
        ",\"bounce_classification\":\"Uncategorized\",\"site\":\"(mx1|mx2|mx3|mx4).mail.protection."
        "example->shared-pool\",\"size\":%d,"
        "\"created\":%" PRId64 ",\"created_time\":\"2026-01-12T08:00:27.104000000Z\","
        "\"egress_pool\":\"shared-pool\",\"egress_source\":\"shared-%d\","
        "\"source_address\":{\"address\":\"192.0.2.%d:41788\",\"server\":null,\"protocol\":null},"
        "\"headers\":{\"Subject\":\"Your order has been shipped and will arrive on Thursday\","
        "\"X-Mailer\":\"platform 7.%d\"},"
        "\"delivery_protocol\":\"ESMTP\",\"reception_protocol\":\"HTTP\","
        "\"nodeid\":\"557f3ad4-2c8c-11ee-976e-782d7e12e173\",\"session_id\":\"%016" PRIx64
        "-%016" PRIx64 "\",\"tls_cipher\":\"TLS_AES_256_GCM_SHA384\",\"tls_protocol_version\":"
        "\"TLSv1.3\",\"tls_peer_subject_name\":[\"C=US\",\"O=Example Mail\",\"CN=mx.example\"],"
        "\"feedback_report\":null",
        (int)(chance % 90000), created, (int)(chance % 16), (int)(chance % 250), (int)(chance % 10),
        mix(chance), mix(chance + 1));
}

static int print_feedback(char *out, size_t size, const char *recipient)
{
    return snprintf(out, size,
                    ",\"feedback_report\":{\"feedback_type\":\"abuse\",\"user_agent\":\"loop/1\","
                    "\"version\":\"1\",\"original_mail_from\":\"b@news.example\","
                    "\"original_rcpto_to\":[\"%s\"]}",
                    recipient);
}

static void print_reply(char out[REPLY_SIZE], const char *words, const char *recipient)
{
    if (words[0] == '<') {
        snprintf(out, REPLY_SIZE, "<%s%s", recipient, words + 1);
    } else {
        snprintf(out, REPLY_SIZE, "%s", words);
    }
}

struct ending {
    const struct outcome *outcome;
    const char *recipient;
    uint64_t chance;
    int64_t ts_ms;
};

static struct span print_record(const struct mail *mail, const struct ending *e, char *out)
{
    const struct outcome *o = e->outcome;
    const int tenant = (int)((e->chance >> 20) % TENANTS);
    const int campaign = (int)((e->chance >> 30) % CAMPAIGNS);
    const char *domain = strchr(e->recipient, '@') + 1;
    const bool is_feedback = o->code == 0;
    char reply[REPLY_SIZE];
    char when[TIME_SIZE];
    print_reply(reply, o->reply, e->recipient);
    print_time(when, e->ts_ms);
    size_t n = (size_t)snprintf(
        out, MAIL_SIZE_MAX,
        "{\"type\":\"%s\",\"id\":\"%016" PRIx64 "%016" PRIx64
        "\",\"sender\":\"b@news.example\",\"recipient\":\"%s\","
        "\"queue\":\"c%d:t%d@%s\",\"response\":{\"code\":%d,\"enhanced_code\":{\"class\":%d,"
        "\"subject\":%d,\"detail\":%d},\"content\":\"%s\"},"
        "\"peer_address\":{\"name\":\"mx%d.%s\",\"addr\":\"198.51.100.%d\"},"
        "\"timestamp\":%" PRId64 ",\"event_time\":\"%s\",\"num_attempts\":%d",
        o->type, mix(e->chance + 2), mix(e->chance + 3), e->recipient, campaign, tenant, domain,
        o->code, o->enhanced[0], o->enhanced[1], o->enhanced[2], reply, (int)(e->chance % 4),
        domain, (int)(e->chance % 250), e->ts_ms / 1000, when, (int)(e->chance % 3));
    if (is_feedback) {
        n += (size_t)print_feedback(out + n, MAIL_SIZE_MAX - n, e->recipient);
    } else if (mail->is_full) {
        n += (size_t)print_rest(out + n, MAIL_SIZE_MAX - n, e->chance, e->ts_ms);
    }
    CHECK(n + 2 < MAIL_SIZE_MAX);
    out[n++] = '}';
    return (struct span){out, n};
}

struct span mail_event(const struct mail *mail, uint64_t i, char memory[MAIL_SIZE_MAX])
{
    const uint64_t chance = mix(i);
    const uint64_t person = mix(chance) % mail->recipients;
    char recipient[80];
    snprintf(recipient, sizeof(recipient), "%s.%" PRIu64 "@%s",
             (const char *[]){"anna.berg", "j.smith", "info", "m.garcia"}[mix(person) % 4], person,
             DOMAINS[person % DOMAIN_COUNT]);
    const struct ending ending = {
        .outcome = outcome_of(chance >> 8),
        .recipient = recipient,
        .chance = chance,
        .ts_ms =
            mail->first_ms + (int64_t)((double)mail->span_ms * (double)i / (double)mail->events),
    };
    return print_record(mail, &ending, memory);
}

struct span mail_probe(const struct mail *mail,
                       uint64_t number,
                       int64_t ts_ms,
                       char memory[MAIL_SIZE_MAX])
{
    char recipient[80];
    snprintf(recipient, sizeof(recipient), PROBE_LOCAL_PART "%" PRIu64 "@%s", number,
             DOMAINS[number % DOMAIN_COUNT]);
    const struct ending ending = {&PROBE, recipient, mix(number), ts_ms};
    return print_record(mail, &ending, memory);
}

bool mail_is_probe(struct span key, uint64_t *number)
{
    const struct span name = SPAN(PROBE_LOCAL_PART);
    const char *at = key.size == 0 ? NULL : memchr(key.data, '@', key.size);
    if (at == NULL || !span_starts(key, name)) {
        return false;
    }
    const char *digits = key.data + name.size;
    return span_to_u64((struct span){digits, (size_t)(at - digits)}, number);
}

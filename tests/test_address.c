/* tests/test_address.c - one recipient has one canonical address, one key, one shard.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "classify/address.h"

static void assert_canonical(const char *text, const char *expected)
{
    char memory[ADDRESS_SIZE_MAX];
    struct span out = SPAN_NONE;
    assert_null(address_canonical(span_of(text), (struct address_options){0}, memory, &out));
    assert_int_equal(out.size, strlen(expected));
    assert_memory_equal(out.data, expected, out.size);
}

static void assert_wrong_span(struct span text, const char *words)
{
    char memory[ADDRESS_SIZE_MAX];
    struct span out = SPAN_NONE;
    const char *wrong = address_canonical(text, (struct address_options){0}, memory, &out);
    assert_non_null(wrong);
    assert_string_equal(wrong, words);
    assert_null(out.data);
}

static void assert_wrong(const char *text, const char *words)
{
    assert_wrong_span(span_of(text), words);
}

static void spaces_and_angle_brackets_go_and_letters_are_lowered(void **state)
{
    (void)state;
    assert_canonical("ana@example.com", "ana@example.com");
    assert_canonical(" <Ana.B@Example.COM> ", "ana.b@example.com");
    assert_canonical("< <a@b> >", "a@b");
    assert_canonical("a@xn--BCHER-KVA.Example", "a@xn--bcher-kva.example");
    assert_canonical("A@[192.0.2.1]", "a@[192.0.2.1]");
    assert_canonical("\u00c4@example.com", "\u00c4@example.com");
}

static void the_case_of_the_local_part_is_kept_if_wished(void **state)
{
    (void)state;
    char memory[ADDRESS_SIZE_MAX];
    struct span out;
    const struct address_options keep = {.keep_local_case = true};
    assert_null(address_canonical(SPAN("Ana@Example.COM"), keep, memory, &out));
    assert_true(span_equal(out, SPAN("Ana@example.com")));
}

static void domains_become_a_labels(void **state)
{
    (void)state;
    assert_canonical("a@b\u00fccher.example", "a@xn--bcher-kva.example");
    assert_canonical("a@B\u00dcCHER.Example", "a@xn--bcher-kva.example");
    assert_canonical("a@fa\u00df.example", "a@xn--fa-hia.example");
    assert_canonical("a@\u4f8b\u3048.\u30c6\u30b9\u30c8", "a@xn--r8jz45g.xn--zckzah");
    /* decomposed: u and a combining diaeresis */
    assert_canonical("a@bu\u0308cher.example", "a@xn--bcher-kva.example");
}

static void quoted_local_parts_stay_whole(void **state)
{
    (void)state;
    assert_canonical("\"a b\"@x.example", "\"a b\"@x.example");
    assert_canonical("\"a@b\"@x.example", "\"a@b\"@x.example");
    assert_canonical("\"a:b\"@x.example", "\"a:b\"@x.example");
    assert_canonical("\"a\\\"@:b\"@x.example", "\"a\\\"@:b\"@x.example");
    assert_canonical("a@b@x.example", "a@b@x.example");
}

static void what_is_no_address_is_refused_with_the_reason(void **state)
{
    (void)state;
    assert_wrong("", "no @ in the address");
    assert_wrong("<>", "no @ in the address");
    assert_wrong("ana", "no @ in the address");
    assert_wrong("@example.com", "nothing before the @");
    assert_wrong("ana@", "nothing behind the @");
    assert_wrong("\"a@b", "an unclosed quote in the address");
    assert_wrong("\"a@b.example\"", "no @ in the address");
    assert_wrong("acme:ana@example.com", "a colon outside quotes in the address");
    assert_wrong("ana@[IPv6:2001:db8::1]", "a colon outside quotes in the address");
    assert_wrong("ana@ex\tample.com", "a control character in the address");
    assert_wrong("\"a\nb\"@example.com", "a control character in the address");
    assert_wrong("\"a\\\nb\"@example.com", "a control character in the address");
    assert_wrong("ana\x7f@example.com", "a control character in the address");
    assert_wrong_span(SPAN("ana\0@example.com"), "a control character in the address");
    assert_wrong("a@\"b\"", "a quote in the domain");
    /* full-width colon and commercial at: UTS 46 makes plain ones of them */
    assert_wrong("a@b\uff1ac.example", "characters in the domain that no domain has");
    assert_wrong("a@b\uff20c.example", "characters in the domain that no domain has");
    assert_wrong("a@\xff.example", "string encoding error");
}

static void more_than_320_octets_are_refused_before_and_after_conversion(void **state)
{
    (void)state;
    char text[ADDRESS_SIZE_MAX + 2];
    memset(text, 'a', sizeof(text));
    memcpy(text + ADDRESS_SIZE_MAX - 2, "@b", 3);
    assert_canonical(text, text);
    memcpy(text + ADDRESS_SIZE_MAX - 2, "a@b", 4);
    assert_wrong(text, "an address of more than 320 octets");
    /* 320 octets as it came, more as A-label: ü is two octets, its label begins with xn-- */
    memset(text, 'a', sizeof(text));
    memcpy(text + ADDRESS_SIZE_MAX - 6, "@\u00fc.de", 7);
    assert_int_equal(strlen(text), ADDRESS_SIZE_MAX);
    assert_wrong(text, "an address of more than 320 octets");
}

static void a_domain_is_what_follows_the_last_at(void **state)
{
    (void)state;
    assert_true(span_equal(address_domain(SPAN("\"a@b\"@x.example")), SPAN("x.example")));
}

static void tenants_are_escaped(void **state)
{
    (void)state;
    char memory[TENANT_SIZE_MAX];
    struct span out = SPAN_NONE;
    assert_null(tenant_canonical(SPAN("Acme-1.x_y"), memory, &out));
    assert_true(span_equal(out, SPAN("Acme-1.x_y")));
    assert_null(tenant_canonical(SPAN("a:b%\u00e4 "), memory, &out));
    assert_true(span_equal(out, SPAN("a%3Ab%25%C3%A4%20")));
    assert_string_equal(tenant_canonical(SPAN_NONE, memory, &out), "an empty tenant");
    const struct span just = SPAN("::::::::::::::::::::::::::::::");
    assert_null(tenant_canonical((struct span){just.data, 21}, memory, &out));
    assert_int_equal(out.size, 63);
    assert_string_equal(tenant_canonical((struct span){just.data, 22}, memory, &out),
                        "a tenant of more than 64 octets");
}

/* --- hashes -------------------------------------------------------------------------------------
 */

static struct secret make_secret(unsigned char start)
{
    unsigned char bytes[SECRET_SIZE];
    struct secret secret;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(start + 7 * i);
    }
    secret_init(&secret, bytes);
    return secret;
}

static void a_key_depends_on_secret_tenant_and_address(void **state)
{
    (void)state;
    const struct secret secret = make_secret(1);
    const struct secret other = make_secret(2);
    const struct span ana = SPAN("ana@example.com");
    const struct key global = key_of(&secret, SPAN_NONE, ana);
    const struct key acme = key_of(&secret, SPAN("acme"), ana);
    assert_true(global.address_hash == acme.address_hash);
    assert_true(global.scope_hash != acme.scope_hash);
    assert_true(key_of(&secret, SPAN("acm"), SPAN("eana@example.com")).scope_hash !=
                acme.scope_hash);
    assert_true(key_of(&secret, SPAN_NONE, SPAN("bo@example.com")).address_hash !=
                global.address_hash);
    assert_true(key_of(&other, SPAN_NONE, ana).address_hash != global.address_hash);
    assert_true(other.check != secret.check);
    assert_true(make_secret(1).check == secret.check);
}

/* These values stand in changelogs: a change of them loses every record. */
static void hashes_are_for_life(void **state)
{
    (void)state;
    const struct secret secret = make_secret(1);
    const struct key key = key_of(&secret, SPAN("acme"), SPAN("ana@example.com"));
    const struct send send = send_of(&secret, SPAN("acme"), SPAN("c1"), SPAN_NONE, 0);
    assert_true(secret.check == UINT64_C(0xe6f8a084017d0045));
    assert_true(key.address_hash == UINT64_C(0x1b1ca5fd99ef0bbb));
    assert_true(key.scope_hash == UINT64_C(0xe7d2693e962328ed));
    assert_true(send.hash == UINT64_C(0x4c6266248bb8229c));
}

static void shards_part_the_hashes_evenly(void **state)
{
    (void)state;
    assert_int_equal(key_shard((struct key){0, 0}, 12), 0);
    assert_int_equal(key_shard((struct key){UINT64_MAX, 0}, 12), 11);
    assert_int_equal(key_shard((struct key){UINT64_C(1) << 63, 0}, 12), 6);
    assert_int_equal(key_shard((struct key){(UINT64_C(1) << 63) - 1, 0}, 12), 5);
    assert_int_equal(key_shard((struct key){UINT64_MAX, 0}, 1), 0);
}

static void a_send_is_known_by_campaign_or_message_or_day(void **state)
{
    (void)state;
    const struct secret secret = make_secret(1);
    const struct span acme = SPAN("acme");
    const struct send campaign = send_of(&secret, acme, SPAN("x"), SPAN("m"), 5);
    const struct send message = send_of(&secret, acme, SPAN(""), SPAN("x"), 5);
    const struct send day = send_of(&secret, acme, SPAN_NONE, SPAN_NONE, DAY_MS - 1);
    assert_int_equal(campaign.known_by, SEND_BY_CAMPAIGN);
    assert_int_equal(message.known_by, SEND_BY_MESSAGE);
    assert_int_equal(day.known_by, SEND_BY_DAY);
    assert_true(campaign.hash != message.hash);
    assert_true(campaign.has_tenant);
    assert_true(send_of(&secret, acme, SPAN("x"), SPAN("other"), 9 * DAY_MS).hash == campaign.hash);
    assert_true(send_of(&secret, SPAN_NONE, SPAN("x"), SPAN("m"), 5).hash != campaign.hash);
    assert_false(send_of(&secret, SPAN_NONE, SPAN("x"), SPAN("m"), 5).has_tenant);
    assert_true(send_of(&secret, acme, SPAN_NONE, SPAN_NONE, 0).hash == day.hash);
    assert_true(send_of(&secret, acme, SPAN_NONE, SPAN_NONE, DAY_MS).hash != day.hash);
    assert_true(send_of(&secret, acme, SPAN_NONE, SPAN_NONE, -1).hash != day.hash);
}

static void long_names_of_sends_differ_too(void **state)
{
    (void)state;
    static char name[10000];
    const struct secret secret = make_secret(1);
    memset(name, 'x', sizeof(name));
    const struct span whole = {name, sizeof(name)};
    const struct span less = {name, sizeof(name) - 1};
    const struct send a = send_of(&secret, SPAN_NONE, whole, SPAN_NONE, 0);
    assert_true(send_of(&secret, SPAN_NONE, whole, SPAN_NONE, 0).hash == a.hash);
    assert_true(send_of(&secret, SPAN_NONE, less, SPAN_NONE, 0).hash != a.hash);
    assert_true(send_of(&secret, whole, whole, SPAN_NONE, 0).hash != a.hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spaces_and_angle_brackets_go_and_letters_are_lowered),
        cmocka_unit_test(the_case_of_the_local_part_is_kept_if_wished),
        cmocka_unit_test(domains_become_a_labels),
        cmocka_unit_test(quoted_local_parts_stay_whole),
        cmocka_unit_test(what_is_no_address_is_refused_with_the_reason),
        cmocka_unit_test(more_than_320_octets_are_refused_before_and_after_conversion),
        cmocka_unit_test(a_domain_is_what_follows_the_last_at),
        cmocka_unit_test(tenants_are_escaped),
        cmocka_unit_test(a_key_depends_on_secret_tenant_and_address),
        cmocka_unit_test(hashes_are_for_life),
        cmocka_unit_test(shards_part_the_hashes_evenly),
        cmocka_unit_test(a_send_is_known_by_campaign_or_message_or_day),
        cmocka_unit_test(long_names_of_sends_differ_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* bench/pcre_absent.c - what stands for pcre.c where there is no PCRE2; see pcre.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/pcre.h"

#include "base/log.h"

enum err pcre_create(const struct text_rules *rules, struct pcre **out)
{
    (void)rules;
    (void)out;
    return ERR_REFUSED;
}

void pcre_destroy(struct pcre **pcre)
{
    CHECK(*pcre == NULL);
}

void pcre_version(char out[32])
{
    out[0] = '\0';
}

const struct text_rule *pcre_one_by_one(struct pcre *pcre,
                                        const struct event *event,
                                        const struct reply *reply)
{
    (void)pcre;
    (void)event;
    (void)reply;
    CHECK(!"there is no PCRE2");
    return NULL;
}

const struct text_rule *pcre_alternation(struct pcre *pcre, struct span text)
{
    (void)pcre;
    (void)text;
    CHECK(!"there is no PCRE2");
    return NULL;
}

size_t pcre_alternation_count(const struct pcre *pcre)
{
    (void)pcre;
    return 0;
}

size_t pcre_given_up(const struct pcre *pcre)
{
    (void)pcre;
    return 0;
}

/* classify/rules_embedded.c - the rule files, inside the program.
 *
 * CMakeLists.txt writes RULE_FILE(NUMBER, NAME) for each file of rules/ into rules_embedded.def, and
 * says where they are; the assembler reads them when this file is compiled, again when one changes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/rules.h"

#include "base/embed.h"
#include "base/log.h"

#define RULE_FILE(number, name) EMBED_FILE(rules_##number, RULES_DIRECTORY "/" name);
#include "classify/rules_embedded.def"
#undef RULE_FILE

static const struct {
    const char *name;
    const char *begin;
    const char *end;
} FILES[] = {
#define RULE_FILE(number, name) {"rules/" name, rules_##number##_begin, rules_##number##_end},
#include "classify/rules_embedded.def"
};

size_t rules_embedded_count(void)
{
    return sizeof(FILES) / sizeof(FILES[0]);
}

struct embedded_file rules_embedded_at(size_t i)
{
    CHECK(i < rules_embedded_count());
    return (struct embedded_file){FILES[i].name,
                                  {FILES[i].begin, (size_t)(FILES[i].end - FILES[i].begin)}};
}

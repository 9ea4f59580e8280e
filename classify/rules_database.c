/* classify/rules_database.c - the patterns of the rules that ship, compiled, inside the program: what
 * compile_rules (classify/compile_rules/main.c) wrote when it was built.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/rules.h"

#include "base/embed.h"

EMBED_FILE(rules_database, RULES_DATABASE);

struct span rules_embedded_database(void)
{
    return (struct span){rules_database_begin, (size_t)(rules_database_end - rules_database_begin)};
}

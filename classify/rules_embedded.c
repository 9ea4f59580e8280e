/* classify/rules_embedded.c - the rule files, inside the program.
 *
 * The assembler reads them when this file is compiled; CMakeLists.txt compiles it again when one
 * changes, and says where they are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/rules.h"

#include "base/embed.h"

EMBED_FILE(rules_codes, RULES_DIRECTORY "/codes.yaml");

struct span rules_embedded_codes(void)
{
    return (struct span){rules_codes_begin, (size_t)(rules_codes_end - rules_codes_begin)};
}

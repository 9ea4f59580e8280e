/* classify/rule_file.c - see rule_file.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/rule_file.h"

bool rule_category(struct yaml *yaml, const struct yaml_node *item, enum category *out)
{
    const struct yaml_node *node = yaml_find(item, "category");
    const char *names[CATEGORY_COUNT];
    size_t index;
    for (size_t i = 0; i < CATEGORY_COUNT; i++) {
        names[i] = category_name((enum category)i);
    }
    if (node == NULL) {
        yaml_fault(yaml, item, "needs a category: what such a reply means");
        return false;
    }
    /* none and manual, the first and the last, are no meaning of a reply */
    if (!yaml_to_choice(yaml, node, names + 1, CATEGORY_COUNT - 2, &index)) {
        return false;
    }
    *out = (enum category)(index + 1);
    return true;
}

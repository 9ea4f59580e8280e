/* tests/classifying.h - the rules that are built in, and a classifier with them, for all tests of a group.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/classify.h"

#include "tests/check.h"

static struct ruleset *rules;
static struct classifier *classifier;

static int set_up(void **state)
{
    (void)state;
    return ruleset_create(NULL, 0, &rules) == OK && classifier_create(rules, &classifier) == OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    classifier_destroy(&classifier);
    ruleset_destroy(&rules);
    return 0;
}

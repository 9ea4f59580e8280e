/* consumer/config_override.h - what environment and command line say over the file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/config.h"

/* Puts environment, then assignments, into the tree. Faults are left in it. */
void config_override(struct yaml *yaml, const struct config_sources *sources);

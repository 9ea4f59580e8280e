/* consumer/secret_file.h - the secret that keys the state, as a file of SECRET_SIZE bytes.
 *
 * The same for all processes of an application and for life: state made with one cannot be read
 * with another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/address.h"

/* ERR_NOT_FOUND: there is none; nothing is logged. ERR_IO, ERR_BAD_FORMAT: logged. */
MUST_USE enum err secret_file_read(const char *path, struct secret *out);

/* Makes one from the kernel's randomness, readable by the owner alone, and the folders on the way.
 * ERR_REFUSED: there is one already, it is never written over. */
MUST_USE enum err secret_file_create(const char *path);

/* For what keeps no state between runs (replay, demo). */
void secret_fixed(struct secret *out);

/* base/utf8.h - which bytes are UTF-8 (RFC 3629: no overlong forms, no surrogates).
 *
 * Thread:  any.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The size of the sequence that `text` begins with, 1 to 4; 0: none, or there is no text. */
size_t utf8_sequence_size(struct span text);

/* How many bytes at the start of `text` are UTF-8: text.size if all are. */
size_t utf8_valid_size(struct span text);

#ifdef __cplusplus
}
#endif

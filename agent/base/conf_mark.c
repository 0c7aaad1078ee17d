/* Every process. A file of its own: alone to be compiled anew when a header changes its
 * comments, and no compiler makes parts of instructions of a text that tests replace. */
#include "conf_mark.h"

#include "contract.h"

/* WNA_CONTRACT: from the build (agent/CMakeLists.txt), a hash of the headers in include/. */
const char conf_mark[CONF_MARK_SIZE] = "web-node-agent contract " WNA_CONTRACT;

/* Every process. A file of its own: alone to be compiled anew when a header changes its
 * comments, and no compiler makes parts of instructions of a text that tests replace. */
#include "contract.h"

#include "hub.h"

/* WNA_CONTRACT: from the build (agent/CMakeLists.txt), a hash of the headers in include/. */
const char hub_contract[HUB_CONTRACT_SIZE] = "web-node-agent contract " WNA_CONTRACT;

/* Every process. In a file of its own, since a changed comment in include/ changes this text: no
 * other file must be compiled anew, and tests can replace it in a finished program. */
#include "contract.h"

#include "hub.h"

/* WNA_CONTRACT: from the build (agent/CMakeLists.txt), a hash of the headers in include/. */
const char hub_contract[HUB_CONTRACT_SIZE] = "web-node-agent contract " WNA_CONTRACT;

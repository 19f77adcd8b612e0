#include "cconcurrency.h"

static void (*taker)(void *job);

static __attribute__((swiftcall)) void hand_over(void *job, cc_enqueue_original original) {
    (void)original;
    taker(job);
}

void cc_take_global_jobs(void (*take)(void *job)) {
    taker = take;
    swift_task_enqueueGlobal_hook = hand_over;
    swift_task_enqueueMainExecutor_hook = hand_over;
}

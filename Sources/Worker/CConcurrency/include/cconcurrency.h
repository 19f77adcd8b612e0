/* The hook through which Swift's concurrency runtime hands out jobs that belong to no executor of their
 * own. Without it such a job (a plain `Task {}` resuming from a continuation is enough) goes to
 * libdispatch, which starts threads. The runtime exports the variable for this purpose; when a later
 * toolchain drops it, linking fails, which is what we want to learn first. */
#ifndef DRAGOMAN_CCONCURRENCY_H
#define DRAGOMAN_CCONCURRENCY_H

typedef __attribute__((swiftcall)) void (*cc_enqueue_original)(void *job);
extern __attribute__((swiftcall)) void (*swift_task_enqueueGlobal_hook)(
    void *job, cc_enqueue_original original);
extern __attribute__((swiftcall)) void (*swift_task_enqueueMainExecutor_hook)(
    void *job, cc_enqueue_original original);

/* From now on every such job is given to `take` instead, on whatever thread it was made. */
void cc_take_global_jobs(void (*take)(void *job));

#endif

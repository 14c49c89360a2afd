import type { Event, EventBody } from "../../src/domain/Event.js"

const STATES = ["CLONED_INPUTS", "INGESTED", "FACTS_READY", "PLAN_READY", "DRAFTING", "DRAFT_READY", "DONE"] as const

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

interface Open {
  readonly span: number
  readonly id: string
}

/** Makes the well-formed events of one run, one choice at a time: nothing ends that was not open, nothing is open twice. */
export interface Story {
  readonly runId: string
  /** The event that a choice (any non-negative integer) leads to here; its text is about `size` characters longer. */
  readonly next: (choice: number, size: number) => Event
}

/** A run whose event ids all begin with its own id. */
export const make = (runId: string): Story => {
  const calls: Array<Open> = []
  const workers: Array<Open> = []
  let serial = 0
  let state = 0
  let isCreated = false
  let hasEnded = false

  const event = (span: number, body: EventBody): Event => {
    serial += 1
    return {
      event_id: `${runId}-${hex(serial, 6)}`,
      run_id: runId,
      ts: new Date(1_760_000_000_000 + serial).toISOString(),
      trace_id: hex(7, 32),
      span_id: hex(span, 16),
      ...(span === 1 ? {} : { parent_span_id: hex(1, 16) }),
      ...body,
    }
  }

  const startCall = (): Event => {
    const span = serial + 100
    calls.push({ span, id: `call_${span}` })
    return event(span, {
      type: "LLM_CALL_STARTED",
      payload: {
        call_id: `call_${span}`,
        model: "claude-sonnet-4-5",
        provider_base_url: null,
        prompt_hash: null,
        temperature: 0,
        max_tokens: 100,
      },
    })
  }

  const finishCall = ({ span, id }: Open): Event =>
    event(span, {
      type: "LLM_CALL_FINISHED",
      payload: {
        call_id: id,
        latency_ms: serial,
        token_usage: { input_tokens: serial, output_tokens: 2, total_tokens: serial + 2 },
        finish_reason: "stop",
        output_hash: hex(serial, 64),
        cost_nanousd: serial * 1000,
        cost_status: "priced",
      },
    })

  const failCall = ({ span, id }: Open): Event =>
    event(span, {
      type: "LLM_CALL_FAILED",
      payload: {
        call_id: id,
        latency_ms: serial,
        error_class: serial % 2 === 0 ? "ProcessDied" : "Overloaded",
        error_summary: "the model gave no answer",
        retryable: true,
      },
    })

  const startWorker = (): Event => {
    const span = serial + 100
    const id = `${runId}:W2.FactsBuilder:${span}`
    workers.push({ span, id })
    return event(span, {
      type: "WORK_ITEM_STARTED",
      payload: { work_item_id: id, worker: "W2.FactsBuilder", attempt: 1 },
    })
  }

  const endWorker = ({ span, id }: Open, error: string | null): Event =>
    event(span, {
      type: "WORK_ITEM_FINISHED",
      payload: {
        work_item_id: id,
        worker: "W2.FactsBuilder",
        attempt: 1,
        success: error === null,
        error,
        ...(error === null || serial % 2 === 0 ? {} : { error_class: "ProcessDied" }),
        duration_ms: serial,
      },
    })

  const changeState = (): Event => {
    const [from, to] = [STATES[state % STATES.length] ?? "DONE", STATES[(state + 1) % STATES.length] ?? "DONE"]
    state += 1
    return event(1, { type: "RUN_STATE_CHANGED", payload: { old_state: from, new_state: to } })
  }

  const endRun = (choice: number): Event => {
    hasEnded = true
    if (choice % 3 === 0)
      return event(1, { type: "RUN_COMPLETED", payload: { duration_ms: serial, status: "success" } })
    const error_class = choice % 3 === 1 ? "ProcessDied" : "Defect"
    return event(1, {
      type: "RUN_FAILED",
      payload: { duration_ms: serial, error_class, error_summary: "the run broke off" },
    })
  }

  const reopen = (): Event => {
    hasEnded = false
    state = 0
    return event(1, { type: "RUN_STATE_CHANGED", payload: { old_state: "FAILED", new_state: "CREATED" } })
  }

  const issue = (size: number): Event =>
    event(1, { type: "ISSUE_OPENED", payload: { issue_id: "i", kind: "test", message: "x".repeat(size) } })

  const create = (size: number): Event => {
    isCreated = true
    const context_json = { note: "zwölf ünits ✓", filling: "x".repeat(size) }
    return event(1, { type: "RUN_CREATED", payload: { agent_name: "agent", job_type: "launch", context_json } })
  }

  const ending = (open: Array<Open>, choice: number): Open | undefined => open.splice(choice % (open.length || 1), 1)[0]

  return {
    runId,
    next: (choice, size) => {
      if (!isCreated) return create(size)
      if (hasEnded && choice % 2 === 0) return reopen()
      switch (choice % 10) {
        case 0:
        case 1:
          return startCall()
        case 2:
        case 3:
        case 4: {
          const call = ending(calls, choice)
          if (call === undefined) return startCall()
          return choice % 10 === 4 ? failCall(call) : finishCall(call)
        }
        case 5:
          return startWorker()
        case 6: {
          const worker = ending(workers, choice)
          return worker === undefined ? startWorker() : endWorker(worker, choice % 20 === 6 ? null : "it broke")
        }
        case 7:
          return changeState()
        case 8:
          return endRun(choice)
        default:
          return issue(size)
      }
    },
  }
}

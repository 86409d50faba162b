/** Share of the newest sample in a mean. */
const weight = 1 / 16
/** What begins ahead of what is needed: a claim waits for the batch before it, so its time varies. */
const spare = 1.5
/** For each slot: with a ledger so slow that more were needed, a dead worker would leave too much claimed. */
const most = 2

/**
 * How many deliveries to claim before a slot is free for them: as many as slots become free while a claim is under way (Little's law), so that
 * a slot does not wait for the ledger and a claim is not held long. None where calls take much longer than claims.
 */
export class ClaimAhead {
  /** Milliseconds on average. */
  #claim = 0
  #call = 1

  /** @param milliseconds from the start of a delivery until it could be sent */
  claimed(milliseconds: number): void {
    this.#claim += (milliseconds - this.#claim) * weight
  }

  /** @param milliseconds for which it had its slot, once claimed */
  called(milliseconds: number): void {
    this.#call += (milliseconds - this.#call) * weight
  }

  /** @param slots that may be busy at present */
  limit(slots: number): number {
    return Math.min(most * slots, Math.round((slots * this.#claim * spare) / Math.max(1, this.#call)))
  }
}

/**
 * Answers to questions that were asked before, whole messages by whole messages: at thousands of questions a second, reading and writing
 * them again is most of the work. An answer is good until something about the network changes; then all are forgotten.
 */
const idSize = 2;
/** Questions that differ in more than their id, per client: more than any client's names. */
const mostQuestions = 1000;

export class AnswerCache {
  private readonly clients = new Map<string, Map<string, Buffer>>();

  /** The answer with the question's id. Good until the next call: the caller sends it at once. */
  find(client: string, question: Uint8Array): Buffer | undefined {
    const answer = this.clients.get(client)?.get(keyOf(question));
    answer?.set(question.subarray(0, idSize));
    return answer;
  }

  remember(client: string, question: Uint8Array, answer: Buffer): void {
    const answers = this.clients.get(client) ?? new Map<string, Buffer>();
    this.clients.set(client, answers);
    if (answers.size >= mostQuestions) answers.clear();
    answers.set(keyOf(question), Buffer.from(answer));
  }

  clear(): void {
    this.clients.clear();
  }
}

function keyOf(question: Uint8Array): string {
  const { buffer, byteOffset, length } = question.subarray(idSize);
  return Buffer.from(buffer, byteOffset, length).toString("latin1");
}

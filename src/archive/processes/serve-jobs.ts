/**
 * The child's side of a process that serves one job after the other (job-workers.ts). Down stdin come frames: a length (u32, little
 * endian) and as many bytes. A frame is a job in JSON; if it is to have a stream, the frames behind it are that, up to an empty one.
 * Each job is answered with a line of JSON on stdout. The process ends with stdin, and after a job that failed.
 */
import { writeAll } from "../byte-sink.ts";
import { ByteSource, readBlocking, unexpectedEof } from "../byte-source.ts";
import { errorOf, type Jobs, start } from "./child-protocol.ts";
import { dieWithParent, enterOpenRoot, openRoot } from "./confine.ts";

/** Jobs that return before their result is there cannot be served. */
export function serveJobs(jobs: Jobs): number {
  dieWithParent();
  process.umask(0);
  const home = openRoot("/");
  const frames = new FrameReader();
  for (let job = frames.whole(); job; job = frames.whole()) {
    const answer = answerTo(jobs, job, frames);
    // What the job made its root is not kept from going away.
    enterOpenRoot(home);
    writeAll(1, Buffer.from(`${JSON.stringify(answer)}\n`));
    if ("error" in answer) return 1;
  }
  return 0;
}

export type JobAnswer = { result: unknown } | { error: ReturnType<typeof errorOf> };

function answerTo(jobs: Jobs, job: Buffer, frames: FrameReader): JobAnswer {
  try {
    const input = () => new ByteSource((buffer, at, room) => frames.read(buffer, at, room));
    return { result: start(jobs, JSON.parse(job.toString()) as { verb: string }, input) ?? null };
  } catch (error) {
    return { error: errorOf(error) };
  }
}

class FrameReader {
  /** Bytes of the current frame that are still to come. */
  private left = 0;

  /** The next frame; undefined at the end. */
  whole(): Buffer | undefined {
    if (!this.begin()) return undefined;
    const frame = Buffer.alloc(this.left);
    this.fill(frame);
    this.left = 0;
    return frame;
  }

  /** Reads on in the stream; 0 behind its last frame. */
  read(buffer: Buffer, at: number, room: number): number {
    if (this.left === 0 && (!this.begin() || this.left === 0)) return 0;
    const count = readBlocking(0, buffer, at, Math.min(room, this.left), null);
    this.left -= count;
    return count;
  }

  private begin(): boolean {
    const length = Buffer.alloc(4);
    const count = readBlocking(0, length, 0, length.length, null);
    if (count === 0) return false;
    this.fill(length, count);
    this.left = length.readUInt32LE();
    return true;
  }

  private fill(buffer: Buffer, done = 0): void {
    for (let at = done; at < buffer.length; ) {
      const count = readBlocking(0, buffer, at, buffer.length - at, null);
      if (count === 0) throw unexpectedEof();
      at += count;
    }
  }
}

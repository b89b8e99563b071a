/** What a container mounts, decided at create, kept (as JSON) in its record, shown by inspect and turned into spec mounts at start. */
import type { Mount } from "../../api/container-config.ts";

export interface MountPlan {
  type: "bind" | "volume" | "tmpfs";
  /** Host directory or file: a bind's source, a volume's `_data`; empty for tmpfs. */
  source: string;
  destination: string;
  /** Volume's name. */
  name?: string;
  driver?: string;
  /** As written: `ro,z`; what inspect shows. */
  mode: string;
  rw: boolean;
  /** `rprivate`, `rslave`, …; empty for none. */
  propagation: string;
  /** Fill an empty volume from the image. */
  copyData: boolean;
  /** `-v`: a missing bind source is made a directory at start. */
  createSource: boolean;
  subpath?: string;
  /** Made for this container without a name: removed with it by `rm -v` and `--rm`. */
  anonymous?: boolean;
  nonRecursive?: boolean;
  readOnlyNonRecursive?: boolean;
  readOnlyForceRecursive?: boolean;
  /** tmpfs: mount options. */
  options?: string[];
  /** The `--mount` it came from. */
  spec?: Mount;
}

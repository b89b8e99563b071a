/** Users and groups as the image's own /etc/passwd and /etc/group define them. */

export interface ResolvedUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  /** Home directory; `/` for a uid without an entry. */
  home: string;
}

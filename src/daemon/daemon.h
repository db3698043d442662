/* The whole program, from the command line to the exit status. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

/* 0 done, 1 it failed, 2 unknown or malformed words. */
int daemon_main(int argc, char **argv);

#endif

"""Sections that went wrong once, each with what was wrong; all of them run in every test.

The draws behind a name change with the generators, so the smallest program of a find is a
test of its own where its cause is mended; this is what costs little to keep.
"""

FOUND = {
    "tree_17": "maps with a timeout in tasks on every worker: all refused to start anything",
    "constants_95": "functions by value missed the globals that callable constants became later",
    "functions_9133": "a method bound by hand was looked up by its function's name",
    "classes_9279": "instances of a class by value with slots did not fit the original class; "
                    "a chunk whose results could not be rebuilt ended the job",
    "classes_31000022": "a second name for a member of an Enum by value was lost",
    "classes_31000981": "members of an Enum by value were made of their values by its __new__",
    "classes_33001084": "a Flag by value did not know the names of its sums",
    "changes_26001170": "a class by value kept its old base where it was already",
}

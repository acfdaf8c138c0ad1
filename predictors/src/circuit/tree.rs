//! The tree of a hidden Chow-Liu tree: which variable's latent hangs below which.

use crate::segment::PredictorError;

/// No parent: the root's.
const NONE: u16 = u16::MAX;

/// Most variables of a tree.
pub const MOST: usize = 1 << 14;

/// A rooted tree over variables, with the order in which they are coded: depth first, so that what is
/// below a variable follows it without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    parents: Vec<u16>,
    order: Vec<u16>,
    children: Vec<Vec<u16>>,
}

impl Tree {
    /// `parents[i]` is the variable that `i` hangs below, none for the root.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] when these make no tree.
    pub fn new(parents: &[Option<usize>]) -> Result<Self, PredictorError> {
        const NO_TREE: PredictorError =
            PredictorError::Corrupt("a circuit's variables are no tree");
        let n = parents.len();
        if n == 0 || n > MOST {
            return Err(NO_TREE);
        }
        let mut children = vec![Vec::new(); n];
        let mut root = None;
        for (node, &parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) if parent < n => children[parent].push(node as u16),
                None if root.is_none() => root = Some(node),
                _ => return Err(NO_TREE),
            }
        }
        let mut order = Vec::with_capacity(n);
        let mut open: Vec<u16> = root.map(|node| node as u16).into_iter().collect();
        while let Some(node) = open.pop() {
            order.push(node);
            open.extend(children[usize::from(node)].iter().rev());
        }
        if order.len() < n {
            return Err(NO_TREE);
        }
        let parents = parents.iter().map(|p| p.map_or(NONE, |p| p as u16));
        Ok(Self {
            parents: parents.collect(),
            order,
            children,
        })
    }

    /// Number of variables.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Never: a tree has a root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// The variable that `node` hangs below.
    #[must_use]
    pub fn parent(&self, node: usize) -> Option<usize> {
        let parent = self.parents[node];
        (parent != NONE).then_some(usize::from(parent))
    }

    /// The variables below `node`, in the order in which they are coded.
    #[must_use]
    pub fn children(&self, node: usize) -> &[u16] {
        &self.children[node]
    }

    /// The variables in the order in which they are coded; the root comes first.
    #[must_use]
    pub fn order(&self) -> &[u16] {
        &self.order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_walked_depth_first() {
        let tree = Tree::new(&[Some(2), Some(0), None, Some(2), Some(0)]).unwrap();
        assert_eq!(tree.order(), [2, 0, 1, 4, 3]);
        assert_eq!(tree.children(2), [0, 3]);
        assert_eq!((tree.parent(2), tree.parent(4)), (None, Some(0)));
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        for parents in [
            &[][..],
            &[Some(0)],
            &[None, None],
            &[Some(1), Some(0)],
            &[None, Some(2), Some(1)],
            &[None, Some(7)],
        ] {
            assert!(Tree::new(parents).is_err(), "{parents:?}");
        }
    }
}
